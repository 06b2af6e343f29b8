const BUCKETS = 10

/**
 * Successes and failures of the last while, kept in ten buckets: what is counted goes back nine to ten tenths of the
 * window.
 */
export class RollingCounts {
  total = 0
  failed = 0
  readonly #span: number
  readonly #totals = new Uint32Array(BUCKETS)
  readonly #failures = new Uint32Array(BUCKETS)
  #current = 0

  /** @param window milliseconds */
  constructor(window: number) {
    this.#span = window / BUCKETS
  }

  /** @param now milliseconds, monotonic */
  add(failure: boolean, now: number): void {
    const bucket = Math.floor(now / this.#span)
    this.#forget(bucket)
    const slot = bucket % BUCKETS
    this.#totals[slot]!++
    this.total++
    if (!failure) return
    this.#failures[slot]!++
    this.failed++
  }

  clear(): void {
    this.#totals.fill(0)
    this.#failures.fill(0)
    this.total = 0
    this.failed = 0
  }

  #forget(bucket: number): void {
    // After a long silence that is everything.
    for (let passed = Math.min(bucket - this.#current, BUCKETS); passed > 0; passed--) {
      const stale = (bucket - passed + 1) % BUCKETS
      this.total -= this.#totals[stale] as number
      this.failed -= this.#failures[stale] as number
      this.#totals[stale] = 0
      this.#failures[stale] = 0
    }
    this.#current = bucket
  }
}
