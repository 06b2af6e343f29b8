/** Says the same thing once and then at most every so often, with how often it was kept back. */
export class Quiet {
  readonly #now: () => number
  readonly #everyMs: number
  readonly #spoken = new Map<string, { at: number; kept: number }>()

  /** @param now monotonic milliseconds */
  constructor(now: () => number, everyMs: number) {
    this.#now = now
    this.#everyMs = everyMs
  }

  /** @param what one of few things: all that were said are remembered */
  say(what: string, speak: (keptBack: number) => void): void {
    const now = this.#now()
    const last = this.#spoken.get(what)
    if (last !== undefined && now - last.at < this.#everyMs) {
      last.kept++
      return
    }
    this.#spoken.set(what, { at: now, kept: 0 })
    speak(last?.kept ?? 0)
  }
}
