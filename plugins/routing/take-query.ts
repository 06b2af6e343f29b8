import type { Match, Matched } from './find.ts'
import { MATCH } from './local.ts'
import { withoutPair } from './query-text.ts'

/** A FastifyRequest is one. */
interface Queried {
  readonly raw: unknown
  readonly query: unknown
}

function withoutIn(url: string, name: string): string {
  const start = url.indexOf('?')
  return start === -1 ? url : url.slice(0, start) + withoutPair(url.slice(start), name).rest
}

/**
 * Takes a parameter off a request of a route, wherever it stands: it is neither forwarded nor logged.
 * @returns its values, decoded
 */
export function takeQuery(request: Queried, name: string): readonly string[] {
  const raw = request.raw as Omit<Matched, typeof MATCH> & { [MATCH]?: Match | Error; originalUrl?: string }
  const match = raw[MATCH]
  if (match === undefined || match instanceof Error || match.query === '') return []
  const { rest, values } = withoutPair(match.query, name)
  if (values.length === 0) return values
  const url = match.path + rest
  raw[MATCH] = { ...match, query: rest, url }
  raw.url = url
  if (raw.originalUrl !== undefined) raw.originalUrl = withoutIn(raw.originalUrl, name)
  delete (request.query as Record<string, unknown> | undefined)?.[name]
  return values
}
