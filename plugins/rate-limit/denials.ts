import type { KeyedHash } from './keyed-hash.ts'
import type { Claim } from './limit.ts'

const PLACES = 8192
/** Microseconds that a refusal is believed: by then Redis may have been emptied by hand. */
const LONGEST = 1_000_000

/** Numbers of a refusal: until when it is believed, when there will be room, ... */
const BELIEVED = 0
const ROOM = 1
const RESET = 2
const REMAINING = 3
const COST = 4
const WIDTH = 5

/**
 * Refusals of Redis that hold for a while: whatever others do meanwhile, there will not be room sooner. So a flood of
 * requests that are refused asks Redis once a second for each key, and not for each request. What is overwritten here
 * is asked again.
 */
export class Denials {
  readonly #hash: KeyedHash
  readonly #prints = new Uint32Array(2 * PLACES)
  readonly #numbers = new Float64Array(WIDTH * PLACES)

  constructor(hash: KeyedHash) {
    this.#hash = hash
  }

  /**
   * Whether it is known to be refused; then the claim says so.
   * @param now microseconds
   */
  knows(claim: Claim, now: number): boolean {
    const place = this.#placeOf(claim)
    const numbers = this.#numbers
    const at = place * WIDTH
    if (now >= (numbers[at + BELIEVED] as number) || claim.cost !== numbers[at + COST]) return false
    if (this.#prints[2 * place] !== this.#hash.low || this.#prints[2 * place + 1] !== this.#hash.high)
      return false
    claim.fits = false
    claim.wait = (numbers[at + ROOM] as number) - now
    claim.reset = (numbers[at + RESET] as number) - now
    claim.remaining = numbers[at + REMAINING] as number
    return true
  }

  /** Remembers that a claim was refused. */
  note(claim: Claim, now: number): void {
    const { wait, reset, remaining, cost } = claim
    if (wait === Number.POSITIVE_INFINITY) return
    const place = this.#placeOf(claim)
    this.#prints[2 * place] = this.#hash.low
    this.#prints[2 * place + 1] = this.#hash.high
    this.#numbers.set(
      [now + Math.min(wait, LONGEST), now + wait, now + reset, remaining, cost],
      place * WIDTH,
    )
  }

  clear(): void {
    this.#numbers.fill(0)
  }

  #placeOf({ limit, key }: Claim): number {
    this.#hash.of(`${limit.index}:${key}`)
    return this.#hash.low & (PLACES - 1)
  }
}
