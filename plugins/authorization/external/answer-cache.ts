/** Answers of the service, kept for a while. */
export class AnswerCache<T> {
  readonly #ttlMs: number
  readonly #max: number
  readonly #now: () => number
  readonly #kept = new Map<string, { readonly answer: T; readonly until: number }>()

  /** @param now monotonic milliseconds */
  constructor(ttlMs: number, max: number, now: () => number) {
    this.#ttlMs = ttlMs
    this.#max = max
    this.#now = now
  }

  get(key: string): T | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    if (this.#now() < kept.until) return kept.answer
    this.#kept.delete(key)
    return undefined
  }

  set(key: string, answer: T): void {
    this.#kept.delete(key)
    // All live equally long, so the first one in is the first one out of date.
    if (this.#kept.size >= this.#max) this.#kept.delete(this.#kept.keys().next().value as string)
    this.#kept.set(key, { answer, until: this.#now() + this.#ttlMs })
  }
}
