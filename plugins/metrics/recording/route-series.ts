import { LatencyScale } from '../../upstreams/latency-histogram.ts'
import { SlidingLatencies } from '../../upstreams/latency-window.ts'
import type { Bounds, BucketCounts } from './bounds.ts'
import { isError, TrafficCounts } from './traffic.ts'

/** Percentiles of a route are right to within 2 %. */
export const ROUTE_SCALE = new LatencyScale(0.02)
/** Five minutes, and the part that time is in. */
export const WINDOW = { scale: ROUTE_SCALE, partMs: 15_000, parts: 21 }
/** Of a plugin's codes there may be any number: the ones above this are counted as one. */
const MOST_CODES = 100
const OTHER = 'other'

/** One request of each bucket, to be looked up in logs and traces. */
export interface Exemplars {
  readonly ids: (string | undefined)[]
  readonly traced: boolean[]
  readonly milliseconds: Float64Array
  /** Monotonic milliseconds. */
  readonly at: Float64Array
}

function exemplars(size: number): Exemplars {
  return {
    ids: new Array(size).fill(undefined),
    traced: new Array(size).fill(false),
    milliseconds: new Float64Array(size),
    at: new Float64Array(size),
  }
}

/** What is counted of a route's requests. */
export class RouteSeries {
  readonly name: string
  readonly traffic: TrafficCounts
  /** What the gateway itself took of those that went to an upstream. */
  readonly gateway: BucketCounts
  readonly recent: SlidingLatencies
  /** By code, in the order of their first coming. */
  readonly errors = new Map<string, number>()
  bytesIn = 0
  bytesOut = 0
  /** Made with the first request: bounds may change until then. */
  exemplars: Exemplars | undefined

  /** @param now monotonic milliseconds */
  constructor(name: string, durations: Bounds, gateway: Bounds, now: number) {
    this.name = name
    this.traffic = new TrafficCounts(durations.histogram())
    this.gateway = gateway.histogram()
    this.recent = new SlidingLatencies(WINDOW, now)
  }

  /** A request has ended. */
  add(result: number, milliseconds: number, now: number, id: string, traced: boolean): void {
    const bucket = this.traffic.add(result, milliseconds)
    if (bucket === -1) return
    this.recent.add(milliseconds, now, isError(result))
    this.exemplars ??= exemplars(this.traffic.durations.counts.length)
    const { ids, traced: kinds, milliseconds: values, at } = this.exemplars
    ids[bucket] = id
    kinds[bucket] = traced
    values[bucket] = milliseconds
    at[bucket] = now
  }

  /** A request was answered with an error of the gateway's own. */
  failed(code: string): void {
    const known = this.errors.has(code) || this.errors.size < MOST_CODES ? code : OTHER
    this.errors.set(known, (this.errors.get(known) ?? 0) + 1)
  }
}
