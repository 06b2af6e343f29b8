import type { Match, Matched } from './find.ts'
import { MATCH } from './local.ts'
import { withoutPair } from './query-text.ts'

/** Where a request keeps the secrets that were taken out of its query before anybody saw it. */
const TAKEN = Symbol('holdfast.taken')
interface Taken {
  /** The request target as the client has sent it. */
  readonly sent: string
  /** By the parameter's name, decoded. */
  readonly values: ReadonlyMap<string, readonly string[]>
}

type Raw = Omit<Matched, typeof MATCH> & {
  [MATCH]?: Match | Error
  [TAKEN]?: Taken
  originalUrl?: string
}

/** A FastifyRequest is one. */
interface Queried {
  readonly raw: unknown
  readonly query: unknown
  readonly originalUrl: string
}

function without(url: string, name: string): { url: string; query: string; values: readonly string[] } {
  const start = url.indexOf('?')
  if (start === -1) return { url, query: '', values: [] }
  const { rest, values } = withoutPair(url.slice(start), name)
  return { url: url.slice(0, start) + rest, query: rest, values }
}

/**
 * Takes secrets out of a request's target, which may be malformed, before Fastify sees it. The second time nothing
 * happens: an upgrade is looked at twice.
 * @param sent the target
 * @param names of query parameters
 */
export function takeSecrets(message: object, sent: string, names: ReadonlySet<string>): void {
  const raw = message as Raw
  if (raw[TAKEN] !== undefined || !sent.includes('?')) return
  const values = new Map<string, readonly string[]>()
  let url = sent
  for (const name of names) {
    const found = without(url, name)
    if (found.values.length === 0) continue
    values.set(name, found.values)
    url = found.url
  }
  if (values.size === 0) return
  raw[TAKEN] = { sent, values }
  raw.url = url
  // Fastify has kept it already.
  if (raw.originalUrl !== undefined) raw.originalUrl = url
}

/** The request target with all that was taken out of it, if anything was. */
export function sentTarget(message: object): string | undefined {
  return (message as Raw)[TAKEN]?.sent
}

/** See `request.takeQuery`. */
export function takeQuery(request: Queried, name: string): readonly string[] {
  const raw = request.raw as Raw
  const before = raw[TAKEN]?.values.get(name)
  if (before !== undefined) return before
  const match = raw[MATCH]
  if (match instanceof Error) return []
  const { url, query, values } = without(match?.url ?? raw.url ?? '/', name)
  if (values.length === 0) return values
  if (match !== undefined) raw[MATCH] = { ...match, query, url }
  raw.url = url
  if (raw.originalUrl !== undefined) raw.originalUrl = without(raw.originalUrl, name).url
  delete (request.query as Record<string, unknown> | undefined)?.[name]
  return values
}
