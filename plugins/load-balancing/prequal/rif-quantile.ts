/** So many of the latest answers make the distribution. */
const WINDOW = 128
/** More requests in flight than this count as this. */
const MOST = 4095

/**
 * A quantile of the requests in flight that targets have answered lately. O(1) to read, and to record on average: the
 * figure moves by steps of one as answers come and go.
 */
export class RifQuantile {
  readonly #quantile: number
  readonly #recent = new Uint16Array(WINDOW)
  readonly #counts = new Uint16Array(MOST + 1)
  #size = 0
  #oldest = 0
  #value = 0
  /** Answers below `#value`. */
  #below = 0

  /** @param quantile 0..1 */
  constructor(quantile: number) {
    this.#quantile = quantile
  }

  /** Who has more requests in flight than this is hot. At 0 all are, at 1 none is. */
  get hotAbove(): number {
    if (this.#quantile === 0) return -1
    return this.#quantile === 1 ? Number.POSITIVE_INFINITY : this.#value
  }

  record(rif: number): void {
    const whole = Math.min(MOST, Math.max(0, Math.round(rif)))
    if (this.#size < WINDOW) this.#size++
    else this.#count(this.#recent[this.#oldest] as number, -1)
    this.#recent[this.#oldest] = whole
    this.#oldest = (this.#oldest + 1) % WINDOW
    this.#count(whole, 1)
    this.#settle()
  }

  #count(rif: number, by: number): void {
    this.#counts[rif] = (this.#counts[rif] as number) + by
    if (rif < this.#value) this.#below += by
  }

  /** The smallest value with at least the quantile's part of the answers at or below it. */
  #settle(): void {
    const wanted = this.#quantile * this.#size
    while (this.#value < MOST && this.#below + (this.#counts[this.#value] as number) < wanted) {
      this.#below += this.#counts[this.#value] as number
      this.#value++
    }
    while (this.#value > 0 && this.#below >= wanted) {
      this.#value--
      this.#below -= this.#counts[this.#value] as number
    }
  }
}
