import { evenness, type Fault, type Figures, meanOf, quantile, standardErrorOf } from './figures.ts'

/** Keeps the books of a run. */
export class Ledger {
  readonly #latencies: Float64Array
  #measured = 0
  #waited = 0
  readonly errors: Record<Fault, number> = { timeouts: 0, failures: 0, refusals: 0 }
  #present = 0
  #area = 0
  #since = 0
  #placed = 0
  #sojourn = 0
  #hits = 0
  #lookups = 0

  /** @param most requests to be measured */
  constructor(most: number) {
    this.#latencies = new Float64Array(most)
  }

  get present(): number {
    return this.#present
  }

  entered(now: number): void {
    this.#account(now)
    this.#present++
    this.#placed++
  }

  /** @param fault undefined if it was answered as it should be */
  left(now: number, waited: number, measured: boolean, fault: Fault | undefined): void {
    this.#account(now)
    this.#present--
    this.#sojourn += waited
    if (!measured) return
    this.#measured++
    if (fault !== undefined) this.errors[fault]++
    // What fails at once would make a broken target look fast.
    if (fault === undefined || fault === 'timeouts') this.#latencies[this.#waited++] = waited
  }

  /**
   * Of a measured request.
   * @param hit the target had it in its cache
   */
  lookup(hit: boolean): void {
    this.#lookups++
    if (hit) this.#hits++
  }

  refused(measured: boolean): void {
    if (!measured) return
    this.#measured++
    this.errors.refusals++
  }

  /**
   * @param utilisation of each target while it was measured
   * @throws Error if Little's law does not hold: then requests were lost or counted twice
   */
  close(now: number, utilisation: Float64Array): Figures {
    this.#account(now)
    const little = {
      l: this.#area / now,
      lambda: this.#placed / now,
      w: this.#placed === 0 ? 0 : this.#sojourn / this.#placed,
    }
    // The run begins and ends empty, so that it holds exactly, but for rounding.
    if (this.#present !== 0 || Math.abs(little.l - little.lambda * little.w) > 1e-6 * little.l) {
      const { l, lambda, w } = little
      throw new Error(
        `Little's law is broken: L = ${l}, lambda W = ${lambda * w}, left over ${this.#present}`,
      )
    }
    const inOrder = this.#latencies.subarray(0, this.#waited)
    const standardError = standardErrorOf(inOrder)
    const latencies = inOrder.sort()
    const { timeouts, failures, refusals } = this.errors
    return {
      requests: this.#measured,
      latencies,
      mean: meanOf(latencies),
      standardError,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      p999: quantile(latencies, 0.999),
      errors: { timeouts, failures, refusals },
      errorShare: (timeouts + failures + refusals) / this.#measured,
      ...evenness(utilisation),
      little,
      hits: this.#lookups === 0 ? undefined : this.#hits / this.#lookups,
      virtualMs: now,
    }
  }

  #account(now: number): void {
    this.#area += this.#present * (now - this.#since)
    this.#since = now
  }
}
