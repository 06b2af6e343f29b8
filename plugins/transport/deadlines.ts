/** How late a deadline may be noticed, in milliseconds. */
const PRECISION_MS = 20

/** Something that has to happen by a certain time. */
export interface Watched {
  /** Monotonic milliseconds; Infinity is none. May change at any time, at no cost. */
  readonly deadline: number
  /** The deadline has passed. It may set a later one, and is then watched on. */
  expired(now: number): void
}

/**
 * Watches the deadlines of all attempts with one timer, which runs only while there are any. A timer for each
 * would be set and cleared for every request, to fire for hardly any; undici's are off by up to half a second.
 */
export class Deadlines {
  readonly #watched = new Set<Watched>()
  #timer: NodeJS.Timeout | undefined
  #lookedAt = 0
  #waited = false

  watch(one: Watched): void {
    this.#watched.add(one)
    if (this.#timer !== undefined) return
    this.#lookedAt = performance.now()
    this.#timer = setInterval(this.#look, PRECISION_MS)
  }

  unwatch(one: Watched): void {
    this.#watched.delete(one)
  }

  readonly #look = (): void => {
    // Stopped here and not with the last attempt: the next one is most often a moment away.
    if (this.#watched.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const now = performance.now()
    // Timers run before sockets are read. If the process stood still, answers may be waiting: they go first, once.
    this.#waited = !this.#waited && now - this.#lookedAt > 3 * PRECISION_MS
    this.#lookedAt = now
    if (this.#waited) return
    for (const one of this.#watched) if (one.deadline <= now) one.expired(now)
  }
}
