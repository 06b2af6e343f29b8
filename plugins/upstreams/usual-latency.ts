/** RFC 6298, 2.1: the time-out while nothing has been measured. */
const UNKNOWN_MS = 1000

/**
 * How long a target usually takes, and how long it may take before that is unusual.
 *
 * RFC 6298 (the retransmission timer of TCP): smoothed latency and its mean deviation, with gains of 1/8 and 1/4;
 * unusual is more than the smoothed latency and four deviations. A latency counts for twice the unusual at most, so
 * that a single one of a second does not make seconds usual.
 */
export class UsualLatency {
  /** It has a latency of its own. */
  known = false
  readonly #ofAll: UsualLatency | undefined
  #smoothed = 0
  #deviation = 0

  /** @param ofAll what is usual for all targets that do the same: it hears of each latency, and stands in until there is one */
  constructor(ofAll?: UsualLatency) {
    this.#ofAll = ofAll
  }

  add(latencyMs: number): void {
    this.#ofAll?.add(latencyMs)
    if (!this.known) {
      this.known = true
      this.#smoothed = latencyMs
      this.#deviation = latencyMs / 2
      return
    }
    const counted = Math.min(latencyMs, Math.max(2 * this.#limit, 1))
    this.#deviation += (Math.abs(counted - this.#smoothed) - this.#deviation) / 4
    this.#smoothed += (counted - this.#smoothed) / 8
  }

  /** Milliseconds from which a latency is unusual, but not less than `atLeast`; a second while nothing is known. */
  unusual(atLeast: number): number {
    if (this.known) return Math.max(atLeast, this.#limit)
    return this.#ofAll?.unusual(atLeast) ?? Math.max(atLeast, UNKNOWN_MS)
  }

  get #limit(): number {
    return this.#smoothed + 4 * this.#deviation
  }
}
