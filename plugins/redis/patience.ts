/** Runs something after so many milliseconds, and not if the returned function is called before. */
export type After = (ms: number, run: () => void) => () => void

/** Something that is waited for. */
export interface Wait {
  readonly dueAt: number
  /** Undefined once it is over, one way or the other. */
  giveUp: (() => void) | undefined
}

/** How many that are over are kept in front of those that are not. */
const STALE = 256

/**
 * Gives up what takes too long. All wait equally long, so those who came first are due first, and one timer for the
 * first of them is enough for all.
 */
export class Patience {
  readonly #ms: number
  readonly #now: () => number
  readonly #after: After
  #waits: Wait[] = []
  #first = 0
  #stop: (() => void) | undefined

  constructor(ms: number, now: () => number, after: After) {
    this.#ms = ms
    this.#now = now
    this.#after = after
  }

  /** @param giveUp called once, unless the wait is `end`ed in time */
  begin(giveUp: () => void): Wait {
    const wait: Wait = { dueAt: this.#now() + this.#ms, giveUp }
    this.#waits.push(wait)
    this.#stop ??= this.#after(this.#ms, () => this.#sweep())
    return wait
  }

  /** @returns whether it was in time */
  end(wait: Wait): boolean {
    const intime = wait.giveUp !== undefined
    wait.giveUp = undefined
    return intime
  }

  /** Gives up all that is waited for. */
  close(): void {
    this.#stop?.()
    this.#stop = undefined
    const waits = this.#waits
    this.#waits = []
    this.#first = 0
    for (const wait of waits) this.#over(wait)
  }

  #sweep(): void {
    this.#stop = undefined
    const now = this.#now()
    while (this.#first < this.#waits.length) {
      const wait = this.#waits[this.#first] as Wait
      if (wait.giveUp !== undefined && wait.dueAt > now) break
      this.#first++
      this.#over(wait)
    }
    if (this.#first === this.#waits.length || this.#first > STALE) {
      this.#waits = this.#waits.slice(this.#first)
      this.#first = 0
    }
    const next = this.#waits[this.#first]
    // What was given up may have begun something else.
    if (next !== undefined) this.#stop ??= this.#after(Math.max(1, next.dueAt - now), () => this.#sweep())
  }

  #over(wait: Wait): void {
    const { giveUp } = wait
    wait.giveUp = undefined
    giveUp?.()
  }
}
