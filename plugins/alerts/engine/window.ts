/** How many samples a window is looked at through: its start is known to within a 120th of its length. */
const SAMPLES = 120

/**
 * How much a counter has grown over a window. Of long windows not every sample is kept: they are thinned to one in a
 * 120th of the window, so that one of three days takes the same 2 KB as one of ten minutes. What a counter was at the
 * start of the window lies on the line between the samples around it.
 */
export class Window {
  readonly #over: number
  readonly #step: number
  readonly #at: Float64Array
  readonly #total: Float64Array
  #first = 0
  #count = 0

  /** @param every how often samples come; both in milliseconds */
  constructor(over: number, every: number) {
    this.#over = over
    // A little less than the step that is wanted: timers come late now and then, and never early.
    this.#step = Math.max(every, over / SAMPLES) * 0.9
    const size = Math.ceil(over / this.#step) + 2
    this.#at = new Float64Array(size)
    this.#total = new Float64Array(size)
  }

  /** How many milliseconds back it can look; at most its length. */
  reach(now: number): number {
    return this.#count === 0 ? 0 : Math.min(this.#over, now - (this.#at[this.#first] as number))
  }

  /** To be called after `increase`, with a total that never falls. */
  add(now: number, total: number): void {
    const size = this.#at.length
    if (this.#count > 0) {
      const last = (this.#first + this.#count - 1) % size
      if (now - (this.#at[last] as number) < this.#step) return
    }
    // One sample before the start of the window is needed, and no more.
    while (this.#count > 1 && now - (this.#at[(this.#first + 1) % size] as number) >= this.#over) this.#drop()
    if (this.#count === size) this.#drop()
    const next = (this.#first + this.#count) % size
    this.#at[next] = now
    this.#total[next] = total
    this.#count++
  }

  /** From the window's start, or from the first sample if that came later. Undefined without one. */
  increase(now: number, total: number): number | undefined {
    if (this.#count === 0) return undefined
    const start = now - this.#over
    const size = this.#at.length
    if ((this.#at[this.#first] as number) >= start) return total - (this.#total[this.#first] as number)
    let before = this.#first
    for (let i = 1; i < this.#count; i++) {
      const index = (this.#first + i) % size
      if ((this.#at[index] as number) > start) return total - this.#between(before, index, start)
      before = index
    }
    const from = this.#at[before] as number
    const grown = total - (this.#total[before] as number)
    return now <= from ? grown : (grown * this.#over) / (now - from)
  }

  #between(before: number, after: number, time: number): number {
    const from = this.#at[before] as number
    const part = (time - from) / ((this.#at[after] as number) - from)
    const low = this.#total[before] as number
    return low + part * ((this.#total[after] as number) - low)
  }

  #drop(): void {
    this.#first = (this.#first + 1) % this.#at.length
    this.#count--
  }
}
