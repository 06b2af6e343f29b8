/** Smallest latency that is told apart, in milliseconds. */
const LEAST_MS = 0.05
/** Each bucket reaches this much further than the one before. */
const STEP = 1.1
const BUCKETS = 176 // up to about 15 minutes
const INVERSE_LOG_STEP = 1 / Math.log(STEP)

/** A window lasts this long at least, and until it has this many latencies. */
const WINDOW_MS = 5000
const WINDOW_SIZE = 100

/** Recent latencies, in two windows of buckets: the present one, and the one before it. */
export class LatencyWindow {
  #present = new Float64Array(BUCKETS)
  #before = new Float64Array(BUCKETS)
  #presentSize = 0
  #beforeSize = 0
  #since: number

  /** @param now monotonic milliseconds */
  constructor(now: number) {
    this.#since = now
  }

  /** How many latencies it knows. */
  get size(): number {
    return this.#presentSize + this.#beforeSize
  }

  add(latencyMs: number, now: number): void {
    if (now - this.#since >= WINDOW_MS && this.#presentSize >= WINDOW_SIZE) this.#turn(now)
    const bucket = Math.ceil(Math.log(latencyMs / LEAST_MS) * INVERSE_LOG_STEP)
    const index = bucket > 0 ? Math.min(bucket, BUCKETS - 1) : 0
    this.#present[index] = (this.#present[index] as number) + 1
    this.#presentSize++
  }

  /** The latency that `quantile` of the recent ones do not exceed, to within 10 %; 0 if there are none. */
  quantile(quantile: number): number {
    let left = quantile * this.size
    for (let i = 0; i < BUCKETS; i++) {
      left -= (this.#present[i] as number) + (this.#before[i] as number)
      if (left <= 0) return LEAST_MS * STEP ** i
    }
    return LEAST_MS * STEP ** (BUCKETS - 1)
  }

  #turn(now: number): void {
    const old = this.#before
    this.#before = this.#present
    this.#beforeSize = this.#presentSize
    this.#present = old.fill(0)
    this.#presentSize = 0
    this.#since = now
  }
}
