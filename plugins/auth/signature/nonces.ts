/** As many nonces are kept as may be, and none of them can be let go yet. */
export class TooManyNoncesError extends Error {
  constructor() {
    super('there is no room for another nonce of this key; raise auth.signature.nonces')
  }
}

/**
 * The nonces of one key, each kept until its signature has expired: one that was let go sooner could be used again.
 * Two halves take turns, so that old ones go without being looked for.
 */
export class Nonces {
  #young = new Set<string>()
  #old = new Set<string>()
  #turnedAt: number
  readonly #keepMs: number
  readonly #limit: number

  /**
   * @param keepMs longest time from a nonce's first use to the end of its signature's life
   * @param now in milliseconds, monotonic
   */
  constructor(keepMs: number, limit: number, now: number) {
    this.#keepMs = keepMs
    this.#limit = limit
    this.#turnedAt = now
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** False if it was taken before. Throws a `TooManyNoncesError` if there is no room. */
  take(nonce: string, now: number): boolean {
    const since = now - this.#turnedAt
    if (since >= this.#keepMs) {
      // Whatever is young now is kept for one more turn, which is at least as long as it has to be.
      this.#old = since >= 2 * this.#keepMs ? new Set() : this.#young
      this.#young = new Set()
      this.#turnedAt = now
    }
    if (this.#young.has(nonce) || this.#old.has(nonce)) return false
    if (this.size >= this.#limit) throw new TooManyNoncesError()
    this.#young.add(nonce)
    return true
  }
}
