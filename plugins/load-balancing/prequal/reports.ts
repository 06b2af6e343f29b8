import { carried } from '../load/slots.ts'

/** One request in so many looks for a target that has not reported of late. */
const EVERY = 8

/**
 * Whether targets are judged by what they report of their requests in flight, or all by the gateway's own counters:
 * never some by these and some by those. A gateway among many has only a small part of what a target does, so that
 * by its counters anyone looks idle beside those that have reported. So reports count while all answers bring one, and
 * for as long as the last one is good.
 */
export class Reports {
  readonly #maxAge: number
  #at = new Float64Array(0)
  /** When an answer last came with a report, and without. */
  readonly #last = new Float64Array(2).fill(Number.NEGATIVE_INFINITY)
  #until = EVERY

  /** @param maxAge milliseconds */
  constructor(maxAge: number) {
    this.#maxAge = maxAge
  }

  onTargets(from: Int32Array): void {
    this.#at = carried(this.#at, from, Number.NEGATIVE_INFINITY)
  }

  came(i: number, now: number): void {
    this.#at[i] = now
    this.#last[0] = now
  }

  /** An answer, no failure, came without one. */
  missed(now: number): void {
    this.#last[1] = now
  }

  count(now: number): boolean {
    return this.#isGood(this.#last[0] as number, now) && !this.#isGood(this.#last[1] as number, now)
  }

  /**
   * Whether this request is to go to `i` to hear of it: only targets that get requests report, and one that had bad
   * figures once would get none any more.
   */
  wantsTo(i: number, now: number): boolean {
    if (this.#until > 1) {
      this.#until--
      return false
    }
    if (this.#isGood(this.#at[i] as number, now)) return false
    this.#until = EVERY
    return true
  }

  #isGood(at: number, now: number): boolean {
    return now - at <= this.#maxAge
  }
}
