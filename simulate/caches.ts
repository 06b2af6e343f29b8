/** What each target remembers: the keys used last, up to a number. */
export class Caches {
  readonly #size: number
  // A Set keeps its order: the key used longest ago comes first.
  readonly #keys: Set<number>[]

  constructor(targets: number, size: number) {
    this.#size = size
    this.#keys = Array.from({ length: targets }, () => new Set())
  }

  /** Whether the target had it; it has it from now on. */
  use(target: number, key: number): boolean {
    const keys = this.#keys[target]!
    const hit = keys.delete(key)
    keys.add(key)
    if (keys.size > this.#size) keys.delete(keys.values().next().value as number)
    return hit
  }
}
