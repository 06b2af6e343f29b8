import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { decorated } from '../config/decorated.ts'
import type { RequestEnd } from '../config/request-end.ts'
import { INTERNAL } from '../config/route-name.ts'
import { ownVersion } from '../config/version.ts'
import type { Target } from '../upstreams/contract.ts'
import { errorCode } from '../upstreams/errors.ts'
import type { Collector, Measures } from '../upstreams/measures.ts'
import { type Pages, serveMetrics } from './endpoints.ts'
import { collectorFamilies, collectorProblem, sharedFamily } from './exposition/collector-families.ts'
import { Epoch } from './exposition/epoch.ts'
import { formatFor } from './exposition/negotiate.ts'
import { CONTENT_TYPES, type Family } from './exposition/page.ts'
import { render } from './exposition/render.ts'
import { requestFamilies } from './exposition/request-families.ts'
import { targetFamilies } from './exposition/target-families.ts'
import { upstreamFamilies } from './exposition/upstream-families.ts'
import { Collections } from './process/collections.ts'
import { EventLoop } from './process/event-loop.ts'
import { processFamilies } from './process/families.ts'
import { Recorder } from './recording/recorder.ts'
import type { RouteSeries } from './recording/route-series.ts'
import { statsText } from './stats.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What has come of the requests so far, for those who judge it in this process. */
    measures: Measures
  }
}

/** Id of the trace that a request is recorded in. */
type TraceOf = (request: FastifyRequest, end: RequestEnd) => string | undefined

/** The code of the error that a client was answered with; undefined where it was none of the gateway's making. */
function codeOf({ failure }: FastifyRequest): string | undefined {
  // Undefined where the plugin that keeps it has been taken out.
  return failure === null || failure === undefined ? undefined : errorCode(failure)
}

/** Without an exchange the way to the name is longer: Fastify makes `routeOptions` anew each time. */
function seriesOf(recorder: Recorder, request: FastifyRequest): RouteSeries {
  const { exchange } = request
  if (exchange !== null) return recorder.routes.get(exchange.plan.route) ?? recorder.none
  const { config, url } = request.routeOptions
  if (config.gateway !== undefined) return recorder.routes.get(config.gateway.name) ?? recorder.none
  return request.is404 || url === undefined || url.startsWith(INTERNAL) ? recorder.none : recorder.local
}

function record(app: FastifyInstance, recorder: Recorder): void {
  let traceOf: TraceOf = () => undefined
  app.addHook('onReady', async () => {
    // The plugin that traces may have been loaded after this.
    traceOf = decorated<TraceOf>(app, 'recordedTrace') ?? traceOf
  })
  app.onRequestEnd((request, _reply, end) => {
    const trace = traceOf(request, end)
    const series = seriesOf(recorder, request)
    recorder.ended(series, end, request.exchange, codeOf(request), trace ?? request.id, trace !== undefined)
  })
  const { fleet } = recorder
  if (fleet !== undefined) {
    for (const { targets } of app.upstreams.upstreams.values()) {
      for (const target of targets) fleet.follow(target)
    }
    app.upstreams.onTargetChange((change) => fleet.changed(change))
  }
  app.upstreams.subscribe((target, outcome) => recorder.settled(target, outcome))
  app.upstreams.onEvent((event) => recorder.heard(event))
}

/** What another concern counts, over all its labels; 0 where there is no such concern. */
function sumOf(collectors: readonly Collector[], wanted: string): number {
  let sum = 0
  const add = (value: number): void => {
    sum += value
  }
  collectors.find(({ name }) => name === wanted)?.collect(add)
  return sum
}

export default fp(
  async (app) => {
    const { metrics, routes, upstreams } = app.gateway
    const now = () => performance.now()
    const { buckets, perTarget, exemplars } = metrics
    const names = () => app.compiledRoutes.map(({ name }) => name)
    const options = { routes: names, upstreams: Object.keys(upstreams), buckets, perTarget, exemplars }
    const recorder = new Recorder(options, now)
    app.decorate('measures', recorder.measures)
    record(app, recorder)

    const loop = new EventLoop()
    const collections = new Collections()
    const facts = {
      version: ownVersion(),
      routes: routes.length,
      upstreams: recorder.upstreams.size,
      certificates: () => app.certificates.ends,
      loop,
      collections,
    }
    app.addHook('onReady', async () => {
      recorder.addRoutes()
      for (const collector of app.upstreams.collectors) {
        const problem = collectorProblem(collector)
        if (problem !== undefined) throw new Error(problem)
      }
      // No upstreams: only names are wanted yet.
      const shared = sharedFamily(families(new Map()))
      if (shared !== undefined) throw new Error(shared)
      loop.start()
      collections.start()
    })
    app.addHook('onClose', async () => {
      loop.stop()
      collections.stop()
    })

    const failed = ({ name }: Collector, error: unknown) =>
      app.log.error({ err: error }, `the metric "${name}" could not be collected`)
    const epoch = new Epoch()
    function* families(of = app.upstreams.upstreams): Generator<Family> {
      yield* requestFamilies(recorder, epoch.at(Date.now(), now()))
      yield* upstreamFamilies(recorder, of)
      if (recorder.fleet !== undefined) yield* targetFamilies(recorder.fleet, of, perTarget === 'histograms')
      yield* collectorFamilies(app.upstreams.collectors, failed)
      yield* processFamilies(facts)
    }
    const pages: Pages = {
      metrics({ headers }) {
        const format = formatFor(headers.accept)
        const beganAt = now()
        return {
          type: CONTENT_TYPES[format],
          pieces: () => render(families(), format),
          sent: () => recorder.fleet?.scraped(beganAt),
        }
      },
      stats(targets) {
        const gateway = {
          version: facts.version,
          eventLoop: { ...loop.delay, utilization: loop.utilization },
          residentBytes: process.memoryUsage.rss(),
          connections: sumOf(app.upstreams.collectors, 'connections_open'),
        }
        const about = { at: new Date().toISOString(), uptimeSeconds: Math.round(now() / 1000), gateway }
        const opinionsOn = targets ? (target: Target) => app.upstreams.opinionsOn(target) : undefined
        return statsText(recorder, app.upstreams.upstreams, now(), about, opinionsOn)
      },
    }
    app.addHook('onReady', async () => {
      // The admin listener may have been loaded after this.
      const admin = decorated<FastifyInstance>(app, 'admin')
      if (admin !== undefined) serveMetrics(admin, pages)
    })
  },
  { name: 'metrics', dependencies: ['config', 'upstreams', 'transport'] },
)
