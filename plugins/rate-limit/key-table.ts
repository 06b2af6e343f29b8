import type { Algorithm, Reading } from './algorithm.ts'
import type { KeyedHash } from './keyed-hash.ts'
import { Overflow } from './overflow.ts'

const WAYS = 8
const FIRST_SETS = 32

/**
 * The states of many keys in bounded memory, in which nobody can make room for himself at another's cost. A key has
 * two sets of eight places (Azar et al., "Balanced allocations", 1999); it is told by 64 bits of a keyed hash. A place
 * is free again when its state is as if nothing had ever come, and not before: what is owed is never forgotten. The
 * table doubles up to its bound. A new key that finds no free place after that is a stranger, counted together with
 * others, until a place is free; those who have a place do not notice.
 */
export class KeyTable {
  /** How often a request was counted together with strangers. */
  strangers = 0
  readonly #algorithm: Algorithm
  readonly #hash: KeyedHash
  readonly #mostSets: number
  #sets: number
  /** Two numbers for each place; both 0: it was never used. */
  #prints: Uint32Array
  #states: Float64Array
  #overflow: Overflow | undefined

  /** @param maxKeys rounded up to a power of two, at least 8 */
  constructor(algorithm: Algorithm, hash: KeyedHash, maxKeys: number) {
    this.#algorithm = algorithm
    this.#hash = hash
    this.#mostSets = 2 ** Math.max(0, Math.ceil(Math.log2(maxKeys / WAYS)))
    this.#sets = Math.min(FIRST_SETS, this.#mostSets)
    this.#prints = new Uint32Array(this.#sets * WAYS * 2)
    this.#states = new Float64Array(this.#sets * WAYS * algorithm.width)
  }

  /** Bytes that it takes now. */
  get bytes(): number {
    return this.#prints.byteLength + this.#states.byteLength + (this.#overflow?.bytes ?? 0)
  }

  /**
   * Reads the state of a key.
   * @returns what `charge` has to be told
   */
  look(key: string, cost: number, now: number, reading: Reading): number {
    const place = this.#find(key, now)
    if (place >= 0) this.#algorithm.look(this.#states, place * this.#algorithm.width, cost, now, reading)
    else this.#strangersOf().look(-1 - place, cost, now, reading)
    return place
  }

  /**
   * Takes the cost, and reads what the next request of cost 1 will find.
   * @param place from `look` of the same key, with no other between
   */
  charge(place: number, cost: number, now: number, reading: Reading): void {
    const { width } = this.#algorithm
    if (place >= 0) {
      this.#algorithm.charge(this.#states, place * width, cost, now)
      this.#algorithm.look(this.#states, place * width, 1, now, reading)
    } else {
      this.strangers++
      this.#strangersOf().charge(-1 - place, cost, now, reading)
    }
  }

  /** The place of a key, or -1 less its number among strangers. */
  #find(key: string, now: number): number {
    this.#hash.of(key)
    const { high } = this.#hash
    const low = high === 0 && this.#hash.low === 0 ? 1 : this.#hash.low
    for (;;) {
      const first = low & (this.#sets - 1)
      const second = high & (this.#sets - 1)
      const known = this.#among(first, low, high)
      if (known >= 0) return known
      const also = this.#among(second, low, high)
      if (also >= 0) return also
      const place = this.#freePlace(first, second, now)
      if (place >= 0) return this.#settle(place, low, high, now)
      if (this.#sets === this.#mostSets) return -1 - this.#strangersOf().numberOf(low, high)
      this.#grow(now)
    }
  }

  #among(set: number, low: number, high: number): number {
    const prints = this.#prints
    const end = (set + 1) * WAYS
    for (let place = set * WAYS; place < end; place++) {
      if (prints[2 * place] === low && prints[2 * place + 1] === high) return place
    }
    return -1
  }

  /** In the emptier of two sets; -1 if there is none. */
  #freePlace(first: number, second: number, now: number): number {
    let best = -1
    let most = 0
    for (let set = first; ; set = second) {
      let free = 0
      let place = -1
      for (let i = set * WAYS; i < (set + 1) * WAYS; i++) {
        if (!this.#free(i, now)) continue
        free++
        place = i
      }
      if (free > most) {
        most = free
        best = place
      }
      if (set === second) return best
    }
  }

  #free(place: number, now: number): boolean {
    if (this.#prints[2 * place] === 0 && this.#prints[2 * place + 1] === 0) return true
    return this.#algorithm.idle(this.#states, place * this.#algorithm.width, now)
  }

  /** Gives a place to a key. What it may owe as a stranger, it goes on owing. */
  #settle(place: number, low: number, high: number, now: number): number {
    const { width } = this.#algorithm
    this.#prints[2 * place] = low
    this.#prints[2 * place + 1] = high
    this.#states.fill(0, place * width, (place + 1) * width)
    const overflow = this.#overflow
    overflow?.copyTo(this.#states, place * width, overflow.numberOf(low, high), now)
    return place
  }

  #strangersOf(): Overflow {
    this.#overflow ??= new Overflow(this.#algorithm, this.#mostSets * WAYS)
    return this.#overflow
  }

  /** Each new set takes from one old set only, so there is room for all. */
  #grow(now: number): void {
    const { width } = this.#algorithm
    const prints = this.#prints
    const states = this.#states
    const oldSets = this.#sets
    this.#sets *= 2
    this.#prints = new Uint32Array(prints.length * 2)
    this.#states = new Float64Array(states.length * 2)
    for (let place = 0; place < oldSets * WAYS; place++) {
      const low = prints[2 * place] as number
      const high = prints[2 * place + 1] as number
      if ((low === 0 && high === 0) || this.#algorithm.idle(states, place * width, now)) continue
      const byLow = (low & (oldSets - 1)) === Math.floor(place / WAYS)
      let to = ((byLow ? low : high) & (this.#sets - 1)) * WAYS
      while (this.#prints[2 * to] !== 0 || this.#prints[2 * to + 1] !== 0) to++
      this.#prints[2 * to] = low
      this.#prints[2 * to + 1] = high
      for (let i = 0; i < width; i++) this.#states[to * width + i] = states[place * width + i] as number
    }
  }
}
