import type { FastifyRequest } from 'fastify'
import type { GatewayConfig } from '../config/define.ts'
import { redactedHeader, redactedUrl, withoutUser } from '../config/redact.ts'
import type { RequestEnd } from '../config/request-end.ts'
import { rounded } from '../config/rounded.ts'
import { routeName } from '../config/route-name.ts'
import { errorCode, GatewayError } from '../upstreams/errors.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'

export type LogOptions = GatewayConfig['logs']

/** One attempt in a line: which target was tried, how that ended, and when. Times in milliseconds. */
export interface AttemptEntry {
  readonly target: string
  readonly kind: AttemptRecord['kind']
  readonly outcome: string
  readonly status: number | undefined
  readonly decision: AttemptRecord['decision']
  /** Since the request came. */
  readonly startMs: number
  /** For a connection; undefined if it never had one. */
  readonly waitMs: number | undefined
  /** In all; undefined if it was still under way. */
  readonly tookMs: number | undefined
}

/** Hundredths of a millisecond. */
const DIGITS = 2

/** Of one that ended in the middle of its answer: what the client was sent of it. */
function statusOf({ outcome, decision }: AttemptRecord, sent: number): number | undefined {
  if (outcome?.kind === 'answered') return outcome.status
  return decision === 'commit' && sent > 0 ? sent : undefined
}

/** @param sent status of the response, as the client was sent it; 0 for none */
function entryOf(record: AttemptRecord, from: number, sent: number): AttemptEntry {
  const { target, kind, outcome, decision, startedAt, sentAt, endedAt } = record
  return {
    target: target.origin,
    kind,
    outcome: outcome === undefined ? 'open' : outcome.kind === 'failed' ? outcome.reason : outcome.kind,
    status: statusOf(record, sent),
    decision,
    startMs: rounded(startedAt - from, DIGITS),
    waitMs: sentAt === undefined ? undefined : rounded(sentAt - startedAt, DIGITS),
    tookMs: endedAt === undefined ? undefined : rounded(endedAt - startedAt, DIGITS),
  }
}

/** What the client asked for, without what has been taken out of it since: Fastify remembers the first it saw. */
function sentUrl({ raw, originalUrl }: FastifyRequest): string {
  return (raw as { originalUrl?: string }).originalUrl ?? originalUrl
}

/** Who answered; where nobody did, who was tried last. */
function targetOf(attempts: readonly AttemptRecord[] | undefined): string | undefined {
  const committed = attempts?.find(({ decision }) => decision === 'commit')
  return (committed ?? attempts?.at(-1))?.target.origin
}

/** What was behind an error of ours; another error's own code and words, which may have the url in them. */
function causeOf(
  failure: Error & { readonly code?: string },
  secrets: ReadonlySet<string>,
): string | undefined {
  if (failure instanceof GatewayError) return (failure.cause as Error | undefined)?.message
  return redactedUrl(`${failure.code ?? failure.name}: ${failure.message}`, secrets)
}

function headersOf(
  request: FastifyRequest,
  names: readonly string[],
  secrets: ReadonlySet<string>,
): Record<string, string> | undefined {
  let found: Record<string, string> | undefined
  for (const name of names) {
    const value = request.headers[name]
    if (value === undefined) continue
    found ??= {}
    found[name] = redactedHeader(name, value, secrets)
  }
  return found
}

/** What a line is made by. */
export interface LineOptions extends Pick<LogOptions, 'identity'> {
  /** Names of the request headers that are logged, in lower case. */
  readonly headers: readonly string[]
  /** Names of headers and parameters, in lower case, that hold credentials besides those that are called so. */
  readonly secrets: ReadonlySet<string>
}

/**
 * What is said of a request. Undefined fields are left out.
 * @param sample the share of the requests of its kind that are logged, where that is less than all
 */
export function lineOf(
  request: FastifyRequest,
  end: RequestEnd,
  { identity: named, headers, secrets }: LineOptions,
  slow: boolean,
  sample: number | undefined,
) {
  // Undefined where the plugin that keeps them has been taken out.
  const { exchange, identity = null } = request
  const failure = (request.failure ?? null) as Error | null
  const attempts = exchange?.attempts
  return {
    method: request.method,
    host: withoutUser(request.host),
    url: redactedUrl(sentUrl(request), secrets),
    status: end.status === 0 ? undefined : end.status,
    client: end.client,
    identity: identity === null || !named ? undefined : { name: identity.name, kind: identity.kind },
    route: routeName(request),
    upstream: exchange?.plan.upstream,
    target: targetOf(attempts),
    attempts: attempts?.length,
    tried:
      attempts !== undefined && (slow || attempts.length > 1)
        ? attempts.map((record) => entryOf(record, end.startedAt, end.status))
        : undefined,
    bytes: end.bytesSent,
    totalMs: rounded(end.totalMs, DIGITS),
    upstreamMs: exchange === null ? undefined : rounded(exchange.upstreamMs, DIGITS),
    // A tunnel takes as long as it is wanted: that is nobody's share.
    gatewayMs:
      exchange === null || end.status === 101
        ? undefined
        : rounded(Math.max(0, end.totalMs - exchange.upstreamMs), DIGITS),
    slow: slow || undefined,
    aborted: end.aborted || undefined,
    broken: exchange?.broken || undefined,
    error: failure === null ? undefined : errorCode(failure),
    cause: failure === null ? undefined : causeOf(failure, secrets),
    headers: headers.length === 0 ? undefined : headersOf(request, headers, secrets),
    sample,
  }
}

export type AccessLine = ReturnType<typeof lineOf>
