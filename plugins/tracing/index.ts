import { randomFillSync, randomUUID } from 'node:crypto'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addressList } from '../config/addresses.ts'
import { normaliseHost } from '../config/host-name.ts'
import { redactedUrl, withoutUser } from '../config/redact.ts'
import type { RequestEnd } from '../config/request-end.ts'
import { routeName, routeTemplate } from '../config/route-name.ts'
import { ownVersion } from '../config/version.ts'
import { errorCode } from '../upstreams/errors.ts'
import { openCollector, tracesUrl } from './collector.ts'
import { Exporter } from './exporter.ts'
import { randomIds } from './ids.ts'
import { exportRequest, spanText } from './otlp.ts'
import { worthKeeping } from './sampling.ts'
import { type ExchangeFacts, exchangeSpans } from './spans.ts'
import { beginTrace, type Trace, writeTrace } from './trace.ts'
import { SAMPLED } from './traceparent.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The trace of a request that has ended, if the gateway's part of it is recorded; undefined if it is not. */
    recordedTrace(request: FastifyRequest, end: RequestEnd): string | undefined
  }
  interface FastifyRequest {
    /** Of the trace that it belongs to, as 32 hexadecimal digits; null where nobody traces. */
    readonly traceId: string | null
  }
}

/** Milliseconds for what is left when the server closes. */
const LAST_WORDS = 3000
/** Bytes that are asked for at a time: for some three hundred requests. */
const POOL = 8192

/** Where a request keeps its place in a trace. */
const TRACE = Symbol('holdfast.trace')
type Traced = FastifyRequest & { [TRACE]?: Trace }

/** What the config takes credentials from is in headers and queries, and in no path. */
const NO_MORE_NAMES: ReadonlySet<string> = new Set()

type Tracing = NonNullable<FastifyInstance['gateway']['tracing']>

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header
}

/** Without the query, and without what looks like a secret in the path. */
function pathOf(url: string): string {
  const end = url.indexOf('?')
  return redactedUrl(end === -1 ? url : url.slice(0, end), NO_MORE_NAMES)
}

function factsOf(request: FastifyRequest, end: RequestEnd): ExchangeFacts {
  const { exchange, raw } = request
  // Undefined where the plugin that keeps it has been taken out.
  const failure = request.failure as Error | null | undefined
  return {
    method: request.method,
    path: pathOf(request.originalUrl),
    scheme: request.protocol,
    httpVersion: raw.httpVersion === '2.0' ? '2' : raw.httpVersion,
    host: normaliseHost(withoutUser(request.host)).replace(/^\[|\]$/g, '') || undefined,
    port: request.port ?? undefined,
    client: end.client,
    peer: end.peer,
    userAgent: request.headers['user-agent'],
    requestId: request.id,
    route: routeName(request),
    template: routeTemplate(request),
    status: end.status,
    aborted: end.aborted,
    broken: exchange?.broken ?? false,
    error: failure === null || failure === undefined ? undefined : errorCode(failure),
    startedAt: end.startedAt,
    endedAt: end.startedAt + end.totalMs,
    upstream: exchange?.plan.upstream,
    targetPath: exchange === null ? '' : pathOf(exchange.plan.path),
    attempts: exchange?.attempts ?? [],
  }
}

/**
 * Puts something into all log lines of a request. pino adds to the request's own logger in place: a child of a child
 * would take 3 µs, since engines do not expect an object to become the prototype of a single other one.
 */
function bind(request: FastifyRequest, reply: FastifyReply, bindings: Record<string, string>): void {
  const { log } = request as { log: FastifyBaseLogger & { setBindings?(more: object): void } }
  if (log.setBindings !== undefined && log !== request.server.log) log.setBindings(bindings)
  else reply.log = request.log = log.child(bindings)
}

/** Gives every request its place in a trace, tells targets of it, and binds it to the request's log lines. */
function propagate(app: FastifyInstance, { trust, sample }: Tracing): void {
  const ids = randomIds(Buffer.alloc(POOL), randomFillSync)
  const trusted = addressList(app.gateway.server.trustProxy)
  const believed = ({ raw }: FastifyRequest): boolean =>
    trust === 'always' || (trust === 'proxies' && trusted(raw.socket.remoteAddress ?? ''))

  app.onRequestStart((request, reply) => {
    const { traceparent, tracestate } = request.headers
    const caller = one(traceparent)
    const trace = beginTrace(
      caller,
      one(tracestate),
      caller !== undefined && believed(request),
      ids,
      sample.ratio,
    )
    ;(request as Traced)[TRACE] = trace
    bind(request, reply, { traceId: trace.traceId, spanId: trace.spanId })
  })
  app.onAttempt((request, record, headers) => {
    const trace = (request as Traced)[TRACE] as Trace
    // A copy for a mirror is no attempt, and has no span.
    const spanId = record === undefined ? trace.spanId : ids.span()
    if (record !== undefined) record.spanId = spanId
    writeTrace(headers, trace, spanId)
  })
}

function isRecorded({ flags }: Trace, end: RequestEnd, sample: Tracing['sample']): boolean {
  return (flags & SAMPLED) !== 0 || worthKeeping(end, sample)
}

function record(app: FastifyInstance, endpoint: string, tracing: Tracing): void {
  const { headers, compression, timeout, queue, interval, sample, serviceName } = tracing
  const collector = openCollector({ url: tracesUrl(endpoint), headers, compression, timeout })
  const version = ownVersion()
  const bodyOf = exportRequest(
    {
      'service.name': serviceName,
      'service.version': version,
      'service.instance.id': randomUUID(),
      'telemetry.sdk.name': 'holdfast',
      'telemetry.sdk.version': version,
      'telemetry.sdk.language': 'nodejs',
      ...tracing.attributes,
    },
    { name: 'holdfast', version },
  )
  const exporter = new Exporter(
    {
      now: () => performance.now(),
      random: () => Math.random(),
      schedule: (milliseconds, run) => {
        const timer = setTimeout(run, milliseconds).unref()
        return () => clearTimeout(timer)
      },
      send: (spans) => collector.post(bodyOf(spans)),
      changed: (why) => {
        if (why === undefined) app.log.info({ dropped: exporter.dropped }, 'spans are exported again')
        else app.log.warn({ why }, 'spans cannot be exported; requests are served as before')
      },
    },
    queue,
    interval,
  )
  app.onRequestEnd((request, _reply, end) => {
    const trace = (request as Traced)[TRACE]
    if (trace === undefined || !isRecorded(trace, end, sample)) return
    const offset = Date.now() - performance.now()
    for (const span of exchangeSpans(factsOf(request, end), trace, offset)) exporter.add(spanText(span))
  })
  const count = (name: string, help: string, value: () => number, type: 'counter' | 'gauge' = 'counter') =>
    app.upstreams.measure({ name, help, type, labels: [], collect: (add) => add(value()) })
  count('trace_spans_exported_total', 'Spans that the collector has taken.', () => exporter.exported)
  count('trace_spans_dropped_total', 'Spans that were lost: no room, or not wanted.', () => exporter.dropped)
  count('trace_spans_waiting', 'Spans that wait to be sent.', () => exporter.waiting, 'gauge')
  app.addHook('onClose', async () => {
    await exporter.close(LAST_WORDS)
    collector.close()
  })
}

export default fp(
  async (app) => {
    const { tracing } = app.gateway
    app.decorateRequest('traceId', {
      getter() {
        return (this as Traced)[TRACE]?.traceId ?? null
      },
    })
    app.decorate('recordedTrace', (request, end) => {
      const trace = (request as Traced)[TRACE]
      if (trace === undefined || tracing?.endpoint === undefined) return undefined
      return isRecorded(trace, end, tracing.sample) ? trace.traceId : undefined
    })
    if (tracing === undefined) return
    propagate(app, tracing)
    if (tracing.endpoint !== undefined) record(app, tracing.endpoint, tracing)
  },
  { name: 'tracing', dependencies: ['config', 'upstreams', 'transport'] },
)
