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

/** A recorded trace gives way to a request that is in none after this, so that each scrape sees it, in milliseconds. */
const TRACE_SHOWN_MS = 60_000

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
  /** Made with the first request, if they are wanted: bounds may change until then. */
  exemplars: Exemplars | undefined
  readonly #exemplary: boolean

  /**
   * @param exemplary whether exemplars are wanted
   * @param now monotonic milliseconds
   */
  constructor(name: string, durations: Bounds, gateway: Bounds, exemplary: boolean, now: number) {
    this.name = name
    this.#exemplary = exemplary
    this.traffic = new TrafficCounts(durations.histogram())
    this.gateway = gateway.histogram()
    this.recent = new SlidingLatencies(WINDOW, now)
  }

  /** A request has ended. */
  add(result: number, milliseconds: number, now: number, id: string, traced: boolean): void {
    const bucket = this.traffic.add(result, milliseconds)
    if (bucket === -1) return
    this.recent.add(milliseconds, now, isError(result))
    if (this.#exemplary) this.#keep(bucket, milliseconds, now, id, traced)
  }

  /** A request was answered with an error of the gateway's own. */
  failed(code: string): void {
    const known = this.errors.has(code) || this.errors.size < MOST_CODES ? code : OTHER
    this.errors.set(known, (this.errors.get(known) ?? 0) + 1)
  }

  #keep(bucket: number, milliseconds: number, now: number, id: string, traced: boolean): void {
    this.exemplars ??= exemplars(this.traffic.durations.counts.length)
    const { ids, traced: kinds, milliseconds: values, at } = this.exemplars
    if (kinds[bucket] === true && !traced && now - (at[bucket] as number) < TRACE_SHOWN_MS) return
    ids[bucket] = id
    kinds[bucket] = traced
    values[bucket] = milliseconds
    at[bucket] = now
  }
}
