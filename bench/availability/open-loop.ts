/** A timer may be late by a millisecond: the rest (ms) is waited for turn by turn of the event loop. */
const timersAreLateBy = 1
const longestWait = 1000

/** Starts what is due at its own times, whatever became of what was started before. */
export class OpenLoop<A extends { readonly at: number }> {
  readonly #arrivals: Iterator<A, never>
  readonly #send: (arrival: A, late: number) => void
  readonly #begin = performance.now()
  #next: A
  #stopped = false

  /** @param send is told how long after its time (ms) the arrival comes */
  constructor(arrivals: Iterator<A, never>, send: (arrival: A, late: number) => void) {
    this.#arrivals = arrivals
    this.#send = send
    this.#next = arrivals.next().value
    // Not at once: who is told of an arrival may want to ask for the time.
    setImmediate(this.#turn)
  }

  /** Milliseconds since the beginning. */
  elapsed(): number {
    return performance.now() - this.#begin
  }

  stop(): void {
    this.#stopped = true
  }

  readonly #turn = (): void => {
    if (this.#stopped) return
    const now = this.elapsed()
    while (this.#next.at <= now) {
      const arrival = this.#next
      this.#next = this.#arrivals.next().value
      this.#send(arrival, this.elapsed() - arrival.at)
    }
    const wait = Math.floor(this.#next.at - this.elapsed() - timersAreLateBy)
    // Nothing more may come at all, and no timer is that long.
    if (wait >= 1) setTimeout(this.#turn, Math.min(wait, longestWait))
    else setImmediate(this.#turn)
  }
}
