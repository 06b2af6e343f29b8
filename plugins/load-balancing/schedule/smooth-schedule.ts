import { Calendar } from './calendar.ts'
import { Scan } from './scan.ts'

/** Up to so many, looking at all of them is as quick as the calendar, and the order is nginx's to the letter. */
const FEW = 16
/** 1 / golden ratio: multiples of it, modulo 1, lie evenly however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2

/**
 * Who is next, by weight and without bursts. O(1) a pick on average, O(N) when weights change; who stays then keeps
 * what it had earned of its next pick. Where all weights are 0 all count alike.
 */
export class SmoothSchedule {
  #order: Scan | Calendar = new Scan(new Float64Array(0), 0, new Float64Array(0))
  #size = 0
  #newcomers = 0

  get size(): number {
    return this.#size
  }

  /** @param from for each its number so far, -1 for who is new */
  set(weights: Float64Array, from: Int32Array): void {
    const n = weights.length
    const sum = weights.reduce((total, weight) => total + weight, 0)
    const used = sum > 0 ? weights : weights.map(() => 1)
    const owed = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      const before = from[i] as number
      owed[i] = before < 0 ? this.#begin(n) : this.#order.owed(before)
    }
    const total = sum > 0 ? sum : n
    this.#order = n <= FEW ? new Scan(used, total, owed) : new Calendar(used, total, owed)
    this.#size = n
  }

  /** The number of the next one. */
  next(): number {
    return this.#order.next()
  }

  /** Of many that come at once no two are due together: there would be a burst of them, round after round. */
  #begin(n: number): number {
    return n <= FEW ? 0.5 : (this.#newcomers++ * GOLDEN) % 1
  }
}
