interface Entry<V> {
  readonly value: V
  readonly until: number
}

/** Values that hold for a time, up to a number of them: the one that was set longest ago goes first. */
export class ExpiringMap<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  /** @param now in the time of `until` */
  get(key: string, now: number): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (now < entry.until) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: V, until: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until })
    if (this.#entries.size <= this.#limit) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      break
    }
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}
