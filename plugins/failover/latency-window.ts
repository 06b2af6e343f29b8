import { LatencyHistogram, LatencyScale } from '../upstreams/latency-histogram.ts'

/** Right to within 2 %. */
const SCALE = new LatencyScale(0.02)

/** A window lasts this long at least, and until it has this many latencies. */
const WINDOW_MS = 5000
const WINDOW_SIZE = 100

/** Recent latencies, in two windows: the present one, and the one before it. */
export class LatencyWindow {
  #present = new LatencyHistogram(SCALE)
  #before = new LatencyHistogram(SCALE)
  readonly #both = new LatencyHistogram(SCALE)
  #since: number

  /** @param now monotonic milliseconds */
  constructor(now: number) {
    this.#since = now
  }

  /** How many latencies it knows. */
  get size(): number {
    return this.#present.count + this.#before.count
  }

  add(latencyMs: number, now: number): void {
    if (now - this.#since >= WINDOW_MS && this.#present.count >= WINDOW_SIZE) this.#turn(now)
    this.#present.add(latencyMs)
  }

  /** The latency that `quantile` of the recent ones do not exceed, to within 2 %; NaN if there are none. */
  quantile(quantile: number): number {
    this.#both.clear()
    this.#both.merge(this.#present)
    this.#both.merge(this.#before)
    return this.#both.quantile(quantile)
  }

  #turn(now: number): void {
    const old = this.#before
    this.#before = this.#present
    this.#present = old
    old.clear()
    this.#since = now
  }
}
