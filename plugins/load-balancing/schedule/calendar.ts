const NONE = -1

/**
 * Earliest deadline first, as Envoy's and gRPC's weighted round robin have it: each is due again total / weight picks
 * after it was. So each gets its share, at any time to within a pick or two; but who is due while others are as well
 * waits for them, and one that has a large part of all the weight is picked meanwhile that many times less. With half of
 * the weight, beside others whose weights differ, that is up to some 7 picks with a hundred of them and 20 with a
 * thousand, for which it makes up at once.
 *
 * The deadlines are kept in a calendar queue (Brown, "Calendar queues", CACM 31(10), 1988) of one day per pick, instead
 * of a heap: O(1) a pick on average. Who is due on the same day goes in the order in which it was entered. A year has
 * at least twice as many days as there are entries, so that few of a later year stand in the way.
 */
export class Calendar {
  readonly #step: Float64Array
  readonly #due: Float64Array
  /** Days are lists of entries: the first and last of each day, and who comes after whom. */
  readonly #first: Int32Array
  readonly #last: Int32Array
  readonly #after: Int32Array
  #today = 0

  /** @param owed of its next pick that each has earned, 0..1. A weight of 0 is never picked. */
  constructor(weights: Float64Array, total: number, owed: Float64Array) {
    const n = weights.length
    const days = 2 ** Math.ceil(Math.log2(2 * n))
    this.#step = weights.map((weight) => total / weight)
    this.#due = new Float64Array(n)
    this.#first = new Int32Array(days).fill(NONE)
    this.#last = new Int32Array(days).fill(NONE)
    this.#after = new Int32Array(n).fill(NONE)
    for (let i = 0; i < n; i++) {
      if (weights[i] === 0) continue
      this.#due[i] = Math.max(0, 1 - (owed[i] as number)) * (this.#step[i] as number)
      this.#enter(i)
    }
  }

  next(): number {
    const mask = this.#first.length - 1
    for (; ; this.#today++) {
      const day = this.#today & mask
      let before = NONE
      for (let i = this.#first[day] as number; i !== NONE; i = this.#after[i] as number) {
        if ((this.#due[i] as number) < this.#today + 1) {
          this.#strike(i, before, day)
          this.#due[i] = (this.#due[i] as number) + (this.#step[i] as number)
          this.#enter(i)
          return i
        }
        before = i
      }
    }
  }

  owed(i: number): number {
    const step = this.#step[i] as number
    return step === Number.POSITIVE_INFINITY ? 0.5 : 1 - ((this.#due[i] as number) - this.#today) / step
  }

  #enter(i: number): void {
    const day = Math.floor(this.#due[i] as number) & (this.#first.length - 1)
    const last = this.#last[day] as number
    this.#after[i] = NONE
    if (last === NONE) this.#first[day] = i
    else this.#after[last] = i
    this.#last[day] = i
  }

  #strike(i: number, before: number, day: number): void {
    const after = this.#after[i] as number
    if (before === NONE) this.#first[day] = after
    else this.#after[before] = after
    if (after === NONE) this.#last[day] = before
  }
}
