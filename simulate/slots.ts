import type { Lease } from '../plugins/upstreams/contract.ts'
import type { Jobs } from './serve/servers.ts'

function grown<A extends Float64Array | Int32Array | Uint8Array>(old: A, size: number): A {
  const larger = new (old.constructor as new (size: number) => A)(size)
  larger.set(old as never)
  return larger
}

/** The requests under way, in typed arrays whose places are used again. */
export class Slots implements Jobs {
  work = new Float64Array(0)
  next = new Int32Array(0)
  givenUp = new Uint8Array(0)
  arrivedAt = new Float64Array(0)
  target = new Int32Array(0)
  /** Counts all requests of the run; -1 while the place is empty. */
  number = new Int32Array(0)
  readonly leases: (Lease | undefined)[] = []
  #free = new Int32Array(0)
  #left = 0

  take(): number {
    if (this.#left === 0) this.#grow()
    return this.#free[--this.#left]!
  }

  give(slot: number): void {
    this.leases[slot] = undefined
    this.number[slot] = -1
    this.givenUp[slot] = 0
    this.#free[this.#left++] = slot
  }

  #grow(): void {
    const size = this.work.length
    const larger = Math.max(256, size * 2)
    this.work = grown(this.work, larger)
    this.next = grown(this.next, larger)
    this.givenUp = grown(this.givenUp, larger)
    this.arrivedAt = grown(this.arrivedAt, larger)
    this.target = grown(this.target, larger)
    this.number = grown(this.number, larger).fill(-1, size)
    this.#free = grown(this.#free, larger)
    for (let slot = larger - 1; slot >= size; slot--) this.#free[this.#left++] = slot
  }
}

/** Requests in the order in which they came, and so in that of their deadlines: a ring that grows. */
export class Deadlines {
  readonly #after: number
  #slots = new Int32Array(1024)
  #numbers = new Int32Array(1024)
  #times = new Float64Array(1024)
  #first = 0
  #count = 0

  /** @param after milliseconds; Infinity for none */
  constructor(after: number) {
    this.#after = after
  }

  add(slot: number, number: number, now: number): void {
    if (this.#after === Number.POSITIVE_INFINITY) return
    if (this.#count === this.#slots.length) this.#grow()
    const at = (this.#first + this.#count++) & (this.#slots.length - 1)
    this.#slots[at] = slot
    this.#numbers[at] = number
    this.#times[at] = now + this.#after
  }

  /** When the oldest request that is still waited for has waited long enough; Infinity if there is none. */
  next(slots: Slots): number {
    while (this.#count > 0) {
      const slot = this.#slots[this.#first]!
      if (slots.number[slot] === this.#numbers[this.#first]) return this.#times[this.#first]!
      this.take()
    }
    return Number.POSITIVE_INFINITY
  }

  /** Takes the oldest. */
  take(): number {
    const slot = this.#slots[this.#first]!
    this.#first = (this.#first + 1) & (this.#slots.length - 1)
    this.#count--
    return slot
  }

  #grow(): void {
    const size = this.#slots.length
    const order = Int32Array.from({ length: size }, (_, i) => (this.#first + i) & (size - 1))
    const slots = new Int32Array(size * 2)
    const numbers = new Int32Array(size * 2)
    const times = new Float64Array(size * 2)
    for (let i = 0; i < size; i++) {
      slots[i] = this.#slots[order[i]!]!
      numbers[i] = this.#numbers[order[i]!]!
      times[i] = this.#times[order[i]!]!
    }
    this.#slots = slots
    this.#numbers = numbers
    this.#times = times
    this.#first = 0
  }
}
