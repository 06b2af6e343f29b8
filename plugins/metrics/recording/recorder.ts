import type { Outcome, Target } from '../../upstreams/contract.ts'
import type { UpstreamEvent } from '../../upstreams/events.ts'
import type { Exchange } from '../../upstreams/exchange.ts'
import { LOCAL, type Measures, NO_ROUTE } from '../../upstreams/measures.ts'
import { Bounds } from './bounds.ts'
import { Fleet } from './fleet.ts'
import { measuresOf } from './measures.ts'
import { RouteSeries } from './route-series.ts'
import { ABORTED, CUT, isError, resultOf, TUNNEL } from './traffic.ts'
import { attemptKind, attemptResult, UpstreamSeries } from './upstream-series.ts'

/** Upper bounds for what the gateway itself takes, in milliseconds. */
const GATEWAY_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 1000]

export interface RecorderOptions {
  /** Names of the routes; asked when they are needed, since routing may be loaded later. */
  routes(): readonly string[]
  readonly upstreams: readonly string[]
  /** Milliseconds. */
  readonly buckets: readonly number[]
  readonly perTarget: false | 'counters' | 'histograms'
  /** Whether a request is kept for each bucket. */
  readonly exemplars: boolean
}

/** How a request ended, as `app.onRequestEnd` has it. */
export interface Ended {
  readonly startedAt: number
  readonly totalMs: number
  readonly status: number
  readonly aborted: boolean
  readonly bytesSent: number | undefined
  readonly bytesReceived: number | undefined
}

/** Counts what happens. A request costs a few additions in arrays, and allocates nothing. */
export class Recorder {
  readonly durations: Bounds
  /** Those of the config, by name, and the two for requests that no route of the config took. */
  readonly routes = new Map<string, RouteSeries>()
  readonly none: RouteSeries
  readonly local: RouteSeries
  readonly upstreams = new Map<string, UpstreamSeries>()
  /** Undefined where targets are not told apart. */
  readonly fleet: Fleet | undefined
  readonly measures: Measures
  readonly #gateway = new Bounds(GATEWAY_BOUNDS)
  readonly #exemplars: boolean
  readonly #now: () => number
  readonly #names: () => readonly string[]

  /** @param now monotonic milliseconds */
  constructor({ routes, upstreams, buckets, perTarget, exemplars }: RecorderOptions, now: () => number) {
    this.#now = now
    this.#names = routes
    this.#exemplars = exemplars
    this.durations = new Bounds(buckets)
    this.none = this.#route(NO_ROUTE)
    this.local = this.#route(LOCAL)
    for (const name of upstreams) this.upstreams.set(name, new UpstreamSeries(name, this.durations, now()))
    this.fleet =
      perTarget === false
        ? undefined
        : new Fleet(perTarget === 'histograms' ? this.durations : undefined, now)
    this.measures = measuresOf(this.durations, this.routes, this.upstreams, () => this.addRoutes())
  }

  /** Routes may share a name; they share their numbers then. */
  addRoutes(): void {
    for (const name of this.#names()) if (!this.routes.has(name)) this.routes.set(name, this.#route(name))
  }

  /**
   * A request has ended.
   * @param code of the error that it was answered with, if the gateway itself made one
   * @param id what it is found by: of its trace, if that is recorded (`traced`), else its own, which the log has
   */
  ended(
    route: RouteSeries,
    end: Ended,
    exchange: Exchange | null,
    code: string | undefined,
    id: string,
    traced: boolean,
  ): void {
    const result = end.aborted ? (exchange?.broken === true ? CUT : ABORTED) : resultOf(end.status)
    route.add(result, end.totalMs, end.startedAt + end.totalMs, id, traced)
    if (end.bytesSent !== undefined) route.bytesOut += end.bytesSent
    if (end.bytesReceived !== undefined) route.bytesIn += end.bytesReceived
    if (code !== undefined) route.failed(code)
    if (exchange === null) return
    // A tunnel takes as long as it is wanted: that is nobody's latency.
    const timed = result !== TUNNEL
    if (timed) route.gateway.add(Math.max(0, end.totalMs - exchange.upstreamMs))
    const upstream = this.upstreams.get(exchange.plan.upstream)
    if (upstream === undefined) return
    upstream.traffic.add(result, end.totalMs)
    if (timed) upstream.recent.add(end.totalMs, end.startedAt + end.totalMs, isError(result))
    for (const attempt of exchange.attempts) {
      const kind = attemptKind(attempt)
      upstream.kinds[kind] = (upstream.kinds[kind] as number) + 1
    }
  }

  /** An attempt has come to something. */
  settled(target: Target, outcome: Outcome): void {
    const result = attemptResult(outcome)
    const upstream = this.upstreams.get(target.upstream)
    if (upstream !== undefined) {
      upstream.attempts[result] = (upstream.attempts[result] as number) + 1
      if (outcome.kind !== 'abandoned') upstream.latency.add(outcome.latencyMs)
    }
    this.fleet?.of(target)?.add(result, outcome, this.#now())
  }

  heard({ upstream, name, target, why }: Pick<UpstreamEvent, 'upstream' | 'name' | 'target' | 'why'>): void {
    this.upstreams.get(upstream)?.heard(name)
    const series = target === undefined ? undefined : this.fleet?.of(target)
    if (series !== undefined) series.lastEvent = { name, why, at: this.#now() }
  }

  #route(name: string): RouteSeries {
    return new RouteSeries(name, this.durations, this.#gateway, this.#exemplars, this.#now())
  }
}
