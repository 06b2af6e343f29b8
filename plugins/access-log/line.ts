import type { FastifyRequest } from 'fastify'
import type { GatewayConfig } from '../config/define.ts'
import type { RequestEnd } from '../config/request-end.ts'
import { routeName } from '../config/route-name.ts'
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

function entryOf(record: AttemptRecord, from: number): AttemptEntry {
  const { target, kind, outcome, decision, startedAt, sentAt, endedAt } = record
  return {
    target: target.origin,
    kind,
    outcome: outcome === undefined ? 'open' : outcome.kind === 'failed' ? outcome.reason : outcome.kind,
    status: outcome?.kind === 'answered' ? outcome.status : undefined,
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

function headersOf(request: FastifyRequest, names: readonly string[]): Record<string, string> | undefined {
  let found: Record<string, string> | undefined
  for (const name of names) {
    const value = request.headers[name]
    if (value === undefined) continue
    found ??= {}
    found[name] = redactedHeader(name, value)
  }
  return found
}

/**
 * What is said of a request. Undefined fields are left out.
 * @param sample the share of the requests of its kind that are logged, where that is less than all
 */
export function lineOf(
  request: FastifyRequest,
  end: RequestEnd,
  options: Pick<LogOptions, 'identity' | 'headers'>,
  slow: boolean,
  sample: number | undefined,
) {
  // Undefined where the plugin that keeps them has been taken out.
  const { exchange, identity = null } = request
  const failure = (request.failure ?? null) as (Error & { code?: string }) | null
  const attempts = exchange?.attempts
  return {
    method: request.method,
    host: request.host,
    url: redactedUrl(sentUrl(request)),
    status: end.status === 0 ? undefined : end.status,
    client: request.ip,
    identity:
      identity === null || !options.identity ? undefined : { name: identity.name, kind: identity.kind },
    route: routeName(request),
    upstream: exchange?.plan.upstream,
    target: attempts?.at(-1)?.target.origin,
    attempts: attempts?.length,
    tried:
      attempts !== undefined && (slow || attempts.length > 1)
        ? attempts.map((record) => entryOf(record, end.startedAt))
        : undefined,
    bytes: end.bytesSent,
    totalMs: round(end.totalMs),
    upstreamMs: exchange === null ? undefined : round(exchange.upstreamMs),
    gatewayMs: exchange === null ? undefined : round(end.totalMs - exchange.upstreamMs),
    slow: slow || undefined,
    aborted: end.aborted || undefined,
    broken: exchange?.broken || undefined,
    error: failure === null ? undefined : (failure.code ?? failure.name),
    cause: (failure?.cause as Error | undefined)?.message,
    headers: options.headers.length === 0 ? undefined : headersOf(request, options.headers),
    sample,
  }
}

export type AccessLine = ReturnType<typeof lineOf>
