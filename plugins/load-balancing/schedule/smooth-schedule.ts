import { Calendar } from './calendar.ts'
import { Scan } from './scan.ts'

/** Up to so many, looking at all of them is as quick as the calendar, and the order is nginx's to the letter. */
const FEW = 16
/** 1 / golden ratio: multiples of it, modulo 1, lie evenly however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2
/** Picks that are passed over for a random place to begin at, at most. */
const MOST_PASSED = 1024

/**
 * Who is next, by weight and without bursts. O(1) a pick on average, O(N) when weights change; who stays then keeps
 * what it had earned of its next pick. Where all weights are 0 all count alike.
 */
export class SmoothSchedule {
  #order: Scan | Calendar = new Scan(new Float64Array(0), 0, new Float64Array(0))
  #size = 0
  #newcomers = 0
  #phase = 0
  readonly #random: (() => number) | undefined

  /** @param random for the place to begin at when all are new; without it, the beginning */
  constructor(random?: () => number) {
    this.#random = random
  }

  get size(): number {
    return this.#size
  }

  /** @param from for each its number so far, -1 for who is new */
  set(weights: Float64Array, from: Int32Array): void {
    const n = weights.length
    const sum = weights.reduce((total, weight) => total + weight, 0)
    const used = sum > 0 ? weights : weights.map(() => 1)
    const owed = new Float64Array(n)
    const place = this.#random !== undefined && from.every((before) => before < 0) ? this.#random() : 0
    // Of many: the same turn, begun later.
    this.#phase = (this.#phase + place) % 1
    for (let i = 0; i < n; i++) {
      const before = from[i] as number
      owed[i] = before < 0 ? this.#begin(n) : this.#order.owed(before)
    }
    const total = sum > 0 ? sum : n
    this.#order = n <= FEW ? new Scan(used, total, owed) : new Calendar(used, total, owed)
    this.#size = n
    if (n <= FEW) this.#pass(Math.min(MOST_PASSED, turnOf(used, total)) * place)
  }

  /** The number of the next one. */
  next(): number {
    return this.#order.next()
  }

  #pass(picks: number): void {
    for (let i = Math.floor(picks); i > 0; i--) this.#order.next()
  }

  /** Of many that come at once no two are due together: there would be a burst of them, round after round. */
  #begin(n: number): number {
    return n <= FEW ? 0.5 : (this.#newcomers++ * GOLDEN + this.#phase) % 1
  }
}

/** Picks until the lightest had its turn and the order repeats, where the weights are its multiples. */
function turnOf(weights: Float64Array, total: number): number {
  return total / weights.reduce((least, weight) => (weight > 0 ? Math.min(least, weight) : least), total)
}
