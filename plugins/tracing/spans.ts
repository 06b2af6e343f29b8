/** The spans of an exchange: names and attributes by OpenTelemetry's semantic conventions for HTTP, 1.45. */
import { rounded } from '../config/rounded.ts'
import type { Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { unixSocket } from '../upstreams/origin.ts'
import { type Attributes, CLIENT, SERVER, type Span, type SpanEvent } from './otlp.ts'
import type { Trace } from './trace.ts'

/** All that is told of a request. Times in monotonic milliseconds. */
export interface ExchangeFacts {
  readonly method: string
  /** As the client sent it, without the query and whatever else may hold secrets. */
  readonly path: string
  readonly scheme: string
  readonly httpVersion: string
  /** What the client called us. */
  readonly host: string | undefined
  readonly port: number | undefined
  readonly client: string
  /** Who is connected to us. */
  readonly peer: string | undefined
  readonly userAgent: string | undefined
  readonly requestId: string
  /** What the route is called. */
  readonly route: string | undefined
  /** Its path as the config has it: a pattern, of which there are few. */
  readonly template: string | undefined
  /** 0 if nothing was sent. */
  readonly status: number
  /** The response was not sent whole. */
  readonly aborted: boolean
  /** It was the target that broke it off, and not the client. */
  readonly broken: boolean
  /** Code of the gateway's error, if it answered with one. */
  readonly error: string | undefined
  readonly startedAt: number
  readonly endedAt: number
  /** Undefined where the gateway answers by itself. */
  readonly upstream: string | undefined
  /** As targets see it, without the query. */
  readonly targetPath: string
  readonly attempts: readonly AttemptRecord[]
}

const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'QUERY',
])

function methodOf(method: string): Attributes {
  return KNOWN_METHODS.has(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': '_OTHER', 'http.request.method_original': method }
}

/** A name of few values: unknown methods are anybody's. */
function nameOf(method: string, what: string | undefined): string {
  const verb = KNOWN_METHODS.has(method) ? method : 'HTTP'
  return what === undefined ? verb : `${verb} ${what}`
}

/** Why an attempt failed: `timeout` and its like, or the status. */
function reasonOf(outcome: Outcome | undefined): string | undefined {
  if (outcome?.kind === 'failed') return outcome.reason
  return outcome?.kind === 'answered' && outcome.status >= 400 ? String(outcome.status) : undefined
}

/** What a request failed with: our error's code, the status, or who broke it off. */
function errorOf({ status, aborted, broken, error }: ExchangeFacts): string | undefined {
  if (aborted) return broken ? 'target_broke' : 'client_left'
  return status < 500 ? undefined : (error ?? String(status))
}

function serverOf(origin: string): { address: string; port: number | undefined } {
  const socket = unixSocket(origin)
  if (socket !== undefined) return { address: socket, port: undefined }
  const { hostname, port, protocol } = new URL(origin)
  return {
    address: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  }
}

function attemptSpan(
  facts: ExchangeFacts,
  trace: Trace,
  record: AttemptRecord,
  index: number,
  offset: number,
): Span {
  const { target, kind, outcome, decision, startedAt, sentAt } = record
  const { address, port } = serverOf(target.origin)
  const answered = outcome?.kind === 'answered' ? outcome : undefined
  // Of one that ended in the middle of its answer: what the client was sent of it.
  const status = answered?.status ?? (decision === 'commit' && facts.status > 0 ? facts.status : undefined)
  const reason = reasonOf(outcome)
  return {
    traceId: trace.traceId,
    spanId: record.spanId as string,
    parentId: trace.spanId,
    parentRemote: false,
    flags: trace.flags,
    state: trace.state,
    name: nameOf(facts.method, facts.upstream),
    kind: CLIENT,
    from: offset + startedAt,
    // A body that nobody wants any more may still be under way.
    to: offset + Math.min(record.endedAt ?? facts.endedAt, facts.endedAt),
    attributes: {
      ...methodOf(facts.method),
      'url.full': port === undefined ? undefined : `${target.origin}${facts.targetPath}`,
      'url.path': port === undefined ? facts.targetPath : undefined,
      'server.address': address,
      'server.port': port,
      'http.request.resend_count': index === 0 ? undefined : index,
      'http.response.status_code': status,
      'error.type': reason,
      'holdfast.attempt.kind': kind,
      'holdfast.attempt.outcome': outcome?.kind ?? 'open',
      'holdfast.attempt.decision': decision,
      'holdfast.attempt.wait_ms': sentAt === undefined ? undefined : rounded(sentAt - startedAt),
      'holdfast.attempt.head_ms': answered === undefined ? undefined : rounded(answered.latencyMs),
    },
    events: [],
    link: undefined,
    failed: reason !== undefined,
  }
}

/** What made another attempt begin, and when. */
function eventsOf(attempts: readonly AttemptRecord[], offset: number): SpanEvent[] {
  const events: SpanEvent[] = []
  for (const [index, { kind, startedAt, target }] of attempts.entries()) {
    if (index === 0) continue
    const before = attempts[index - 1] as AttemptRecord
    events.push({
      name: kind,
      at: offset + startedAt,
      attributes: {
        'holdfast.reason': kind === 'hedge' ? 'slow' : reasonOf(before.outcome),
        'holdfast.from': before.target.origin,
        'holdfast.to': target.origin,
      },
    })
  }
  return events
}

/**
 * First the exchange's span, then one for each attempt.
 * @param offset what is added to a monotonic time to have milliseconds since 1970: one for all, so that they fit together
 */
export function exchangeSpans(facts: ExchangeFacts, trace: Trace, offset: number): Span[] {
  const { method, attempts } = facts
  const error = errorOf(facts)
  const server: Span = {
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentId: trace.parentId,
    parentRemote: trace.parentId !== undefined,
    flags: trace.flags,
    state: trace.state,
    name: nameOf(method, facts.template),
    kind: SERVER,
    from: offset + facts.startedAt,
    to: offset + facts.endedAt,
    attributes: {
      ...methodOf(method),
      'url.scheme': facts.scheme,
      'url.path': facts.path,
      'http.route': facts.template,
      'http.response.status_code': facts.status === 0 ? undefined : facts.status,
      'error.type': error,
      'server.address': facts.host,
      'server.port': facts.port,
      'client.address': facts.client,
      'network.peer.address': facts.peer,
      'network.protocol.version': facts.httpVersion,
      'user_agent.original': facts.userAgent,
      'holdfast.request_id': facts.requestId,
      'holdfast.route': facts.route,
      'holdfast.upstream': facts.upstream,
      'holdfast.attempts': facts.upstream === undefined ? undefined : attempts.length,
    },
    events: eventsOf(attempts, offset),
    link: trace.link,
    failed: error !== undefined && error !== 'client_left',
  }
  return [server, ...attempts.map((record, index) => attemptSpan(facts, trace, record, index, offset))]
}
