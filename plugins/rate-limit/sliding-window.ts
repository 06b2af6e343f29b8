import type { Algorithm, Reading } from './algorithm.ts'

/** A window is counted in so many parts, and the one that has begun. */
export const PARTS = 16

/**
 * Never more than `max` in any stretch of time as long as `per`, wherever it begins. Requests are counted in
 * sixteenths of `per`, and the sum is taken over the current one and sixteen before it, which cover the window
 * whatever its phase. So the error is all on the strict side: a request is forgotten not before `per`, and not later
 * than 17/16 of it. An estimate that is exact on average, as from two counters, admits up to twice `max`.
 *
 * State: number of the current part, then the counts, newest first.
 */
export class SlidingWindow implements Algorithm {
  readonly kind = 'sliding-window'
  readonly width = PARTS + 2
  readonly capacity: number
  readonly parameters: readonly [part: number, max: number, unused: 0, unused: 0]
  readonly #part: number

  /** @param per milliseconds */
  constructor(max: number, per: number) {
    this.capacity = max
    this.#part = Math.ceil(Math.round(per * 1000) / PARTS)
    this.parameters = [this.#part, max, 0, 0]
  }

  look(states: Float64Array, at: number, cost: number, now: number, reading: Reading): void {
    this.#roll(states, at, now)
    const end = at + this.width
    let newest = -1
    let total = 0
    for (let i = at + 1; i < end; i++) {
      const count = states[i] as number
      if (count === 0) continue
      if (newest === -1) newest = i
      total += count
    }
    reading.remaining = Math.max(0, this.capacity - total)
    reading.reset = newest === -1 ? 0 : this.#until(end - newest, states, at, now)
    reading.fits = cost === 0 || total + cost <= this.capacity
    if (reading.fits) reading.wait = 0
    else if (cost > this.capacity) reading.wait = Number.POSITIVE_INFINITY
    else {
      let parts = 0
      while (total + cost > this.capacity) total -= states[end - ++parts] as number
      reading.wait = this.#until(parts, states, at, now)
    }
  }

  charge(states: Float64Array, at: number, cost: number, now: number): void {
    this.#roll(states, at, now)
    states[at + 1] = Math.min(this.capacity, (states[at + 1] as number) + cost)
  }

  idle(states: Float64Array, at: number, now: number): boolean {
    this.#roll(states, at, now)
    for (let i = at + 1; i < at + this.width; i++) if (states[i] !== 0) return false
    return true
  }

  /** Makes the current part the first one. If the clock has gone back, it counts on from there. */
  #roll(states: Float64Array, at: number, now: number): void {
    const part = Math.floor(now / this.#part)
    const passed = part - (states[at] as number)
    states[at] = part
    if (passed <= 0) return
    const end = at + this.width
    const gone = Math.min(passed, PARTS + 1)
    states.copyWithin(at + 1 + gone, at + 1, end - gone)
    states.fill(0, at + 1, at + 1 + gone)
  }

  #until(parts: number, states: Float64Array, at: number, now: number): number {
    return ((states[at] as number) + parts) * this.#part - now
  }
}
