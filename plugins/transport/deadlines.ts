import { type Placed, put, take } from './placed.ts'

/** Something that has to happen by a certain time. */
export interface Watched extends Placed {
  /** Monotonic milliseconds; Infinity is none. May change at any time, at no cost. */
  readonly deadline: number
  /** The deadline has passed. It may set a later one, and is then watched on. */
  expired(now: number): void
}

/**
 * Watches the deadlines of all attempts with one timer, which runs only while there are any. A timer for each
 * would be set and cleared for every request, to fire for hardly any; undici's are off by up to half a second.
 */
export class Deadlines<W extends Watched = Watched> {
  readonly #watched: W[] = []
  readonly #precisionMs: number
  #timer: NodeJS.Timeout | undefined
  #lookedAt = 0
  #waited = false

  /** @param precisionMs how late a deadline may be noticed */
  constructor(precisionMs: number) {
    this.#precisionMs = precisionMs
  }

  watch(one: W): void {
    put(this.#watched, one)
    if (this.#timer !== undefined) return
    this.#lookedAt = performance.now()
    this.#timer = setInterval(this.#look, this.#precisionMs)
  }

  unwatch(one: W): void {
    take(this.#watched, one)
  }

  /** All that are watched; `visit` may end the watch of the one that it is handed. */
  each(visit: (one: W) => void): void {
    // From the end: what takes the place of one that leaves has been looked at.
    for (let i = this.#watched.length - 1; i >= 0; i--) {
      const one = this.#watched[i]
      if (one !== undefined) visit(one)
    }
  }

  readonly #look = (): void => {
    // Stopped here and not with the last attempt: the next one is most often a moment away.
    if (this.#watched.length === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const now = performance.now()
    // Timers run before sockets are read. If the process stood still, answers may be waiting: they go first, once.
    this.#waited = !this.#waited && now - this.#lookedAt > 3 * this.#precisionMs
    this.#lookedAt = now
    if (this.#waited) return
    this.each((one) => {
      if (one.deadline <= now) one.expired(now)
    })
  }
}
