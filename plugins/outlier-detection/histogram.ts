/** Buckets per doubling: each is 9 % wide, so that what is read is off by 4.5 % at most. */
const PER_OCTAVE = 8
/** The first bucket holds all that is below 2^-4 (1/16) ms. */
const LOWEST_EXPONENT = -4
/** The last one holds all that is above 2^20 ms (17 minutes). */
const OCTAVES = 24
const BUCKETS = OCTAVES * PER_OCTAVE

/** Counts of latencies in buckets of logarithmic width: fixed in size, and nothing is allocated for a sample. */
export class LatencyHistogram {
  readonly #buckets = new Uint32Array(BUCKETS)
  #count = 0

  /** Samples since the last reset. */
  get count(): number {
    return this.#count
  }

  record(ms: number): void {
    // Written so that 0, what is below it and what is no number end up in the first bucket.
    const index = ms > 0 ? Math.floor((Math.log2(ms) - LOWEST_EXPONENT) * PER_OCTAVE) : 0
    const bucket = Math.min(BUCKETS - 1, Math.max(0, index))
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1
    this.#count++
  }

  /**
   * Milliseconds that a fraction `q` of the samples does not exceed, to 4.5 % (the geometric middle of a bucket).
   * NaN without samples.
   */
  quantile(q: number): number {
    if (this.#count === 0) return Number.NaN
    const rank = Math.max(1, Math.ceil(q * this.#count))
    let seen = 0
    let bucket = 0
    for (; bucket < BUCKETS; bucket++) {
      seen += this.#buckets[bucket] as number
      if (seen >= rank) break
    }
    return 2 ** ((bucket + 0.5) / PER_OCTAVE + LOWEST_EXPONENT)
  }

  reset(): void {
    if (this.#count === 0) return
    this.#buckets.fill(0)
    this.#count = 0
  }
}
