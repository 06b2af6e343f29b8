import type { Algorithm, Reading } from './algorithm.ts'

/** A stranger's two states are told by a number below this squared. */
const MOST_CELLS = 2 ** 20

/**
 * States that many keys share: a count-min sketch of two rows (Cormode and Muthukrishnan, 2005) whose counters are
 * states. A key is charged in both rows and judged by the one with more room, so it is never given more than its
 * limit, and less only if it meets a busy key in both.
 */
export class Overflow {
  readonly #algorithm: Algorithm
  readonly #states: Float64Array
  readonly #cells: number
  readonly #other: Reading = { fits: false, remaining: 0, wait: 0, reset: 0 }

  /** @param keys of the table beside it; there is a cell in each row for every eight */
  constructor(algorithm: Algorithm, keys: number) {
    this.#algorithm = algorithm
    this.#cells = Math.min(MOST_CELLS, 2 ** Math.max(8, Math.ceil(Math.log2(keys / 8))))
    this.#states = new Float64Array(2 * this.#cells * algorithm.width)
  }

  get bytes(): number {
    return this.#states.byteLength
  }

  /** Names both cells of a key. Other bits of the hash than those that chose its sets come first. */
  numberOf(low: number, high: number): number {
    const mask = this.#cells - 1
    return (((low >>> 11) ^ (high << 7)) & mask) * this.#cells + (((high >>> 11) ^ (low << 7)) & mask)
  }

  look(number: number, cost: number, now: number, reading: Reading): void {
    const algorithm = this.#algorithm
    const other = this.#other
    algorithm.look(this.#states, this.#first(number), cost, now, reading)
    algorithm.look(this.#states, this.#second(number), cost, now, other)
    if (other.wait < reading.wait || (other.wait === reading.wait && other.remaining > reading.remaining)) {
      Object.assign(reading, other)
    }
  }

  charge(number: number, cost: number, now: number, reading: Reading): void {
    this.#algorithm.charge(this.#states, this.#first(number), cost, now)
    this.#algorithm.charge(this.#states, this.#second(number), cost, now)
    this.look(number, 1, now, reading)
  }

  /** Copies the state that a key is judged by. */
  copyTo(states: Float64Array, at: number, number: number, now: number): void {
    const first = this.#first(number)
    const second = this.#second(number)
    const { width } = this.#algorithm
    const reading = { ...this.#other }
    this.#algorithm.look(this.#states, first, 0, now, reading)
    this.#algorithm.look(this.#states, second, 0, now, this.#other)
    const from = this.#other.remaining > reading.remaining ? second : first
    states.set(this.#states.subarray(from, from + width), at)
  }

  #first(number: number): number {
    return Math.floor(number / this.#cells) * this.#algorithm.width
  }

  #second(number: number): number {
    return (this.#cells + (number % this.#cells)) * this.#algorithm.width
  }
}
