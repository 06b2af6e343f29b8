import type { Algorithm, Reading } from './algorithm.ts'

/** Sums of two of these are exact in a number. */
const LARGEST = 2 ** 52
/** Microseconds. */
const COARSEST = 1_000_000

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b)
}

/**
 * The generic cell rate algorithm (ITU-T I.371, Annex A; ATM Forum TM 4.0, 4.4.5), as a continuous-state leaky bucket,
 * to which its virtual scheduling is equivalent: a request pours in its cost, time drains the bucket, and what would
 * spill over does not fit. So `burst` may come at once, and `max` in each `per` from then on; in any time t not more
 * than burst + max * t / per.
 *
 * A request is `cell` units and a tick drains `drain` of them, both whole, so nothing is rounded and nothing drifts.
 * The bucket keeps its level when the clock goes back, where a time of arrival in the future would lock a key out.
 *
 * State: level, and the tick in which it was that.
 */
export class Gcra implements Algorithm {
  readonly kind = 'gcra'
  readonly width = 2
  readonly capacity: number
  readonly parameters: readonly [tick: number, cell: number, drain: number, full: number]
  readonly #tick: number
  readonly #cell: number
  readonly #drain: number
  readonly #full: number

  private constructor(tick: number, cell: number, drain: number, burst: number) {
    this.#tick = tick
    this.#cell = cell
    this.#drain = drain
    this.#full = burst * cell
    this.capacity = burst
    this.parameters = [tick, cell, drain, this.#full]
  }

  /**
   * With the finest tick in which the numbers are exact, a microsecond unless the numbers are very large.
   * @param per milliseconds
   * @returns undefined if there is none
   */
  static of(max: number, per: number, burst: number): Gcra | undefined {
    const perMicros = Math.round(per * 1000)
    if (!Number.isSafeInteger(perMicros)) return undefined
    for (let tick = 1; tick <= COARSEST; tick *= 10) {
      // A request is late by a tick at most: that has to be little against the time between two.
      const coarse = tick > 1 && tick * 8 * max > perMicros
      if (coarse || perMicros % tick !== 0) return undefined
      const ticks = perMicros / tick
      const common = commonDivisor(max, ticks)
      if ((ticks / common) * burst <= LARGEST) return new Gcra(tick, ticks / common, max / common, burst)
    }
    return undefined
  }

  look(states: Float64Array, at: number, cost: number, now: number, reading: Reading): void {
    const tick = Math.floor(now / this.#tick)
    const level = this.#level(states, at, tick)
    const over = level + cost * this.#cell - this.#full
    reading.fits = over <= 0
    reading.remaining = Math.floor((this.#full - level) / this.#cell)
    reading.reset = Math.ceil(level / this.#drain) * this.#tick
    if (over <= 0) reading.wait = 0
    else if (cost > this.capacity) reading.wait = Number.POSITIVE_INFINITY
    else reading.wait = (tick + Math.ceil(over / this.#drain)) * this.#tick - now
  }

  charge(states: Float64Array, at: number, cost: number, now: number): void {
    const tick = Math.floor(now / this.#tick)
    const level = this.#level(states, at, tick)
    states[at] = Math.min(this.#full, level + cost * this.#cell)
    states[at + 1] = tick
  }

  idle(states: Float64Array, at: number, now: number): boolean {
    return states[at] === 0 || this.#level(states, at, Math.floor(now / this.#tick)) === 0
  }

  #level(states: Float64Array, at: number, tick: number): number {
    const passed = tick - (states[at + 1] as number)
    if (passed < 0) {
      states[at + 1] = tick
      return states[at] as number
    }
    // Where the product is too large to be exact it is larger than any level.
    return Math.max(0, (states[at] as number) - passed * this.#drain)
  }
}
