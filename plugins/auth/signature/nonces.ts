/** As many nonces are kept as may be, and none of them can be let go yet. */
export class TooManyNoncesError extends Error {
  constructor() {
    super('there is no room for another nonce of this key; raise auth.signature.nonces')
  }
}

/** The nonces of one key, each kept until its signature has expired: one that was let go sooner could be used again. */
export class Nonces {
  readonly #kept = new Set<string>()
  /**
   * The same in the order in which they came, which is that in which they go: all are kept for the same time. Asked for
   * its first entry, a Set would look at all those that were deleted before it.
   */
  #queue: { readonly nonce: string; readonly end: number }[] = []
  /** Those of the queue that have gone. */
  #gone = 0
  readonly #keepMs: number
  readonly #limit: number

  /** @param keepMs longest time from a nonce's first use to the end of its signature's life */
  constructor(keepMs: number, limit: number) {
    this.#keepMs = keepMs
    this.#limit = limit
  }

  get size(): number {
    return this.#kept.size
  }

  /**
   * False if it was taken before. Throws a `TooManyNoncesError` if there is no room.
   * @param now in milliseconds, monotonic
   */
  take(nonce: string, now: number): boolean {
    this.#letGo(now)
    if (this.#kept.has(nonce)) return false
    if (this.#kept.size >= this.#limit) throw new TooManyNoncesError()
    this.#kept.add(nonce)
    this.#queue.push({ nonce, end: now + this.#keepMs })
    return true
  }

  #letGo(now: number): void {
    for (let first = this.#queue[this.#gone]; first !== undefined; first = this.#queue[this.#gone]) {
      if (now < first.end) break
      this.#kept.delete(first.nonce)
      this.#gone++
    }
    if (this.#gone * 2 <= this.#queue.length) return
    this.#queue = this.#queue.slice(this.#gone)
    this.#gone = 0
  }
}
