/** Neighbouring buckets are this far apart: a quantile is right to within half of it. */
const GROWTH = 1.02
const SHORTEST_MS = 0.01
const LONGEST_MS = 600_000
const SCALE = 1 / Math.log(GROWTH)
const SIZE = Math.ceil(Math.log(LONGEST_MS / SHORTEST_MS) * SCALE) + 1

/** Counts latencies in buckets of equal ratio, from 10 us to 10 min: a sample costs no memory. */
export class LatencyHistogram {
  count = 0
  readonly #buckets = new Uint32Array(SIZE)

  add(milliseconds: number): void {
    // What is off the scale counts at its end.
    const within = Math.max(SHORTEST_MS, Math.min(LONGEST_MS, milliseconds))
    this.#buckets[Math.round(Math.log(within / SHORTEST_MS) * SCALE)]!++
    this.count++
  }

  /** Milliseconds; 0 if there are no samples. @param q 0..1 */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.count))
    let seen = 0
    for (let i = 0; i < SIZE; i++) {
      seen += this.#buckets[i] as number
      if (seen >= rank) return SHORTEST_MS * GROWTH ** i
    }
    return 0
  }

  clear(): void {
    this.#buckets.fill(0)
    this.count = 0
  }
}
