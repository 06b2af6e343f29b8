import type { FastifyInstance } from 'fastify'
import { object, optional, text } from '../../config/kit.ts'
import type { Resolved } from '../../config/typed.ts'
import { read } from '../../config/validate.ts'
import { GatewayError } from '../../upstreams/errors.ts'
import { idOf, type Revocation, type RevocationList } from './revocation-list.ts'

/** Where a change of the list is made known to others. */
export interface Shared {
  /** False if the others hear of it later. */
  add(revocation: Revocation): Promise<boolean>
  remove(id: string): Promise<boolean>
  /** Makes room, where that is not done at intervals anyway. */
  tidy?(): void
}

const line = optional(text({ pattern: '^.{1,1024}$', remedy: 'write one line of up to 1024 characters' }))
const body = object({ issuer: line, jti: line, subject: line, before: line, until: line })

function wrong(message: string): GatewayError {
  return new GatewayError('GTW_BAD_REQUEST', 400, 'client', message)
}

function dateOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  const date = Date.parse(text)
  if (Number.isNaN(date)) throw wrong(`"${name}" is no date; write it like "2030-01-31T12:00:00Z"`)
  return date
}

function revocationOf(
  { issuer, jti, subject, before, until }: Resolved<typeof body>,
  issuers: readonly string[],
  now: number,
): Revocation {
  if (issuer === undefined && issuers.length > 1) throw wrong('There are several issuers; say which "issuer"')
  const named = issuer ?? (issuers[0] as string)
  if (!issuers.includes(named)) throw wrong('There is no such issuer in the config')
  if ((jti === undefined) === (subject === undefined)) throw wrong('Say either "jti" or "subject"')
  if (jti !== undefined && before !== undefined) throw wrong('"before" goes with "subject" only')
  return {
    issuer: named,
    ...(jti === undefined ? { kind: 'subject', value: subject as string } : { kind: 'jti', value: jti }),
    before: dateOf(before, 'before') ?? now,
    until: dateOf(until, 'until'),
  }
}

function shown(revocation: Revocation) {
  const { issuer, kind, value, before, until } = revocation
  return {
    id: idOf(revocation),
    issuer,
    [kind]: value,
    ...(kind === 'subject' ? { before: new Date(before).toISOString() } : {}),
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
  }
}

/**
 * The endpoints on the admin listener: what is revoked, more of it, less of it.
 * @param date milliseconds since 1970
 */
export function serveRevocations(
  admin: FastifyInstance,
  list: RevocationList,
  issuers: readonly string[],
  shared: Shared,
  date: () => number,
): void {
  admin.get('/auth/revocations', async () => ({ revocations: list.all().map(shown) }))

  admin.post('/auth/revocations', async (request, reply) => {
    const revocation = revocationOf(read(body, request.body), issuers, date())
    shared.tidy?.()
    if (!list.takes(revocation)) {
      throw new GatewayError(
        'GTW_REVOCATIONS_FULL',
        507,
        'gateway',
        'The list is full; remove some, or raise auth.jwt.revocations.max',
      )
    }
    const told = await shared.add(revocation)
    request.log.warn({ revocation: shown(revocation), shared: told }, 'tokens were revoked')
    // 202: it counts here, and elsewhere once Redis is back.
    return reply.code(told ? 201 : 202).send(shown(revocation))
  })

  admin.delete<{ Params: { id: string } }>('/auth/revocations/:id', async ({ params, log }, reply) => {
    let found: boolean
    try {
      found = await shared.remove(params.id)
    } catch (cause) {
      const told = 'Redis is away, and the revocation would come back from there; try again later'
      throw new GatewayError('GTW_REDIS_UNAVAILABLE', 503, 'gateway', told, { cause })
    }
    if (!found) throw new GatewayError('GTW_NOT_FOUND', 404, 'client', 'There is no such revocation')
    log.warn({ id: params.id }, 'a revocation was taken back')
    return reply.code(204).send()
  })
}
