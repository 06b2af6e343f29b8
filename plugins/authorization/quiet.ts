/** Lets the same thing be said once, and then at most every so often. */
export class Quiet {
  readonly #now: () => number
  readonly #everyMs: number
  readonly #saidAt = new Map<string, number>()

  /** @param now monotonic milliseconds */
  constructor(now: () => number, everyMs: number) {
    this.#now = now
    this.#everyMs = everyMs
  }

  /** @param what one of few things: each is remembered */
  may(what: string): boolean {
    const now = this.#now()
    const last = this.#saidAt.get(what)
    if (last !== undefined && now - last < this.#everyMs) return false
    this.#saidAt.set(what, now)
    return true
  }
}
