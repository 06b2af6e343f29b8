function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/**
 * HalfSipHash with 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and the authors' reference
 * code) of a text's UTF-16 units in little-endian order. Who does not know the key cannot choose texts that collide.
 */
export class KeyedHash {
  /** The last text's hash. */
  low = 0
  high = 0
  readonly #key0: number
  readonly #key1: number
  readonly #rounds: number
  readonly #lastRounds: number

  /** @param rounds of compression and at the end; 1 and 3 as hash tables elsewhere have them */
  constructor(key0: number, key1: number, rounds = 1, lastRounds = 3) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
    this.#rounds = rounds
    this.#lastRounds = lastRounds
  }

  of(text: string): void {
    const key0 = this.#key0
    const key1 = this.#key1
    let v0 = key0
    let v1 = key1 ^ 0xee
    let v2 = 0x6c796765 ^ key0
    let v3 = 0x74656462 ^ key1
    const units = text.length
    const whole = units >> 1
    const steps = whole + 3
    for (let step = 0; step < steps; step++) {
      let word = 0
      let rounds = this.#rounds
      if (step < whole) word = text.charCodeAt(2 * step) | (text.charCodeAt(2 * step + 1) << 16)
      else if (step === whole)
        word = ((2 * units) << 24) | ((units & 1) === 1 ? text.charCodeAt(units - 1) : 0)
      else {
        rounds = this.#lastRounds
        if (step === whole + 1) v2 ^= 0xee
        else v1 ^= 0xdd
      }
      v3 ^= word
      for (let round = 0; round < rounds; round++) {
        v0 = (v0 + v1) | 0
        v1 = rotated(v1, 5) ^ v0
        v0 = rotated(v0, 16)
        v2 = (v2 + v3) | 0
        v3 = rotated(v3, 8) ^ v2
        v0 = (v0 + v3) | 0
        v3 = rotated(v3, 7) ^ v0
        v2 = (v2 + v1) | 0
        v1 = rotated(v1, 13) ^ v2
        v2 = rotated(v2, 16)
      }
      v0 ^= word
      if (step === whole + 1) this.low = (v1 ^ v3) >>> 0
    }
    this.high = (v1 ^ v3) >>> 0
  }
}
