const BUCKETS = 10

/** How often something has happened of late, in ten buckets: it goes back nine to ten tenths of the window. */
export class RollingCount {
  readonly #span: number
  readonly #counts = new Uint32Array(BUCKETS)
  #current: number
  #sum = 0

  /**
   * @param windowMs milliseconds
   * @param now milliseconds, monotonic, as everywhere here
   */
  constructor(windowMs: number, now: number) {
    this.#span = windowMs / BUCKETS
    this.#current = Math.floor(now / this.#span)
  }

  add(now: number): void {
    this.#turn(now)
    this.#counts[this.#current % BUCKETS]!++
    this.#sum++
  }

  sum(now: number): number {
    this.#turn(now)
    return this.#sum
  }

  clear(): void {
    this.#counts.fill(0)
    this.#sum = 0
  }

  #turn(now: number): void {
    const bucket = Math.floor(now / this.#span)
    // After a long silence everything is forgotten.
    for (let passed = Math.min(bucket - this.#current, BUCKETS); passed > 0; passed--) {
      const stale = (bucket - passed + 1) % BUCKETS
      this.#sum -= this.#counts[stale] as number
      this.#counts[stale] = 0
    }
    this.#current = bucket
  }
}
