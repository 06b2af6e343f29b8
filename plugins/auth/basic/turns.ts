/** All turns are taken, and as many wait as may. */
export class NoTurnError extends Error {
  constructor() {
    super('too many passwords wait to be checked')
  }
}

/** So many pieces of work at once, so many that wait, and no more. */
export class Turns {
  /** Turned away so far. For metrics. */
  refused = 0
  #running = 0
  readonly #waiting: (() => void)[] = []
  readonly #atOnce: number
  readonly #queue: number

  constructor(atOnce: number, queue: number) {
    this.#atOnce = atOnce
    this.#queue = queue
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Rejects with a `NoTurnError`, at once, if it would have to wait behind too many. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= this.#queue) {
        this.refused++
        throw new NoTurnError()
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      // The turn is handed on, so that nobody who comes just now takes it.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
