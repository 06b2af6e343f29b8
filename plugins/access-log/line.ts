import type { FastifyRequest } from 'fastify'
import type { GatewayConfig } from '../config/define.ts'
import type { RequestEnd } from '../config/request-end.ts'
import { routeName } from '../config/route-name.ts'
import { errorCode, GatewayError } from '../upstreams/errors.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { redactedHeader, redactedUrl } from './redact.ts'

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

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}

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
    startMs: round(startedAt - from),
    waitMs: sentAt === undefined ? undefined : round(sentAt - startedAt),
    tookMs: endedAt === undefined ? undefined : round(endedAt - startedAt),
  }
}

/** What the client asked for, without what has been taken out of it since: Fastify remembers the first it saw. */
function sentUrl({ raw, originalUrl }: FastifyRequest): string {
  return (raw as { originalUrl?: string }).originalUrl ?? originalUrl
}

/** What was behind an error of ours; another error's own code and words, which may have the url in them. */
function causeOf(
  failure: Error & { readonly code?: string },
  secrets: ReadonlySet<string> | undefined,
): string | undefined {
  if (failure instanceof GatewayError) return (failure.cause as Error | undefined)?.message
  return redactedUrl(`${failure.code ?? failure.name}: ${failure.message}`, secrets)
}

function headersOf(
  request: FastifyRequest,
  names: readonly string[],
  secrets: ReadonlySet<string> | undefined,
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

/**
 * What is said of a request. Undefined fields are left out.
 * @param options `secrets`: names of headers and parameters, in lower case, that hold credentials besides those that
 * are called so
 * @param sample the share of the requests of its kind that are logged, where that is less than all
 */
export function lineOf(
  request: FastifyRequest,
  end: RequestEnd,
  options: Pick<LogOptions, 'identity' | 'headers'> & { readonly secrets?: ReadonlySet<string> },
  slow: boolean,
  sample: number | undefined,
) {
  // Undefined where the plugin that keeps them has been taken out.
  const { exchange, identity = null } = request
  const failure = (request.failure ?? null) as Error | null
  const attempts = exchange?.attempts
  return {
    method: request.method,
    host: request.host,
    url: redactedUrl(sentUrl(request), options.secrets),
    status: end.status === 0 ? undefined : end.status,
    client: end.client,
    identity:
      identity === null || !options.identity ? undefined : { name: identity.name, kind: identity.kind },
    route: routeName(request),
    upstream: exchange?.plan.upstream,
    target: attempts?.at(-1)?.target.origin,
    attempts: attempts?.length,
    tried:
      attempts !== undefined && (slow || attempts.length > 1)
        ? attempts.map((record) => entryOf(record, end.startedAt, end.status))
        : undefined,
    bytes: end.bytesSent,
    totalMs: round(end.totalMs),
    upstreamMs: exchange === null ? undefined : round(exchange.upstreamMs),
    // A tunnel takes as long as it is wanted: that is nobody's share.
    gatewayMs:
      exchange === null || end.status === 101
        ? undefined
        : round(Math.max(0, end.totalMs - exchange.upstreamMs)),
    slow: slow || undefined,
    aborted: end.aborted || undefined,
    broken: exchange?.broken || undefined,
    error: failure === null ? undefined : errorCode(failure),
    cause: failure === null ? undefined : causeOf(failure, options.secrets),
    headers: options.headers.length === 0 ? undefined : headersOf(request, options.headers, options.secrets),
    sample,
  }
}

export type AccessLine = ReturnType<typeof lineOf>
