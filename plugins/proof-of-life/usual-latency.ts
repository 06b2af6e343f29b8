/**
 * How long a target usually takes, and how long it may take before that is unusual.
 *
 * RFC 6298 (the retransmission timer of TCP): smoothed latency and its mean deviation, with gains of 1/8 and 1/4;
 * unusual is more than the smoothed latency and four deviations. A latency counts for twice the unusual at most, so
 * that a single one of a second does not make seconds usual.
 */
export class UsualLatency {
  #smoothed = 0
  #deviation = 0
  #known = false

  add(latencyMs: number): void {
    if (!this.#known) {
      this.#known = true
      this.#smoothed = latencyMs
      this.#deviation = latencyMs / 2
      return
    }
    const counted = Math.min(latencyMs, Math.max(2 * this.#limit, 1))
    this.#deviation += (Math.abs(counted - this.#smoothed) - this.#deviation) / 4
    this.#smoothed += (counted - this.#smoothed) / 8
  }

  /** Milliseconds from which a latency is unusual, but not less than `atLeast`; Infinity while nothing is known. */
  unusual(atLeast: number): number {
    return this.#known ? Math.max(atLeast, this.#limit) : Number.POSITIVE_INFINITY
  }

  get #limit(): number {
    return this.#smoothed + 4 * this.#deviation
  }
}
