import type { Outcome, Target } from '../../upstreams/contract.ts'
import { Failures } from '../load/failures.ts'
import { LatencyByRif } from './latency-by-rif.ts'

/** Time constant by which they fade, in milliseconds. */
const DECAY = 2000

/**
 * What the gateway has seen of its targets itself: requests in flight, what they took, and failures, which count against
 * a target whatever it says of itself (see `Failures`). Requests in flight count by weight.
 *
 * O(1); O(N) when targets change.
 */
export class OwnFigures {
  readonly #latency = new LatencyByRif(DECAY)
  readonly #failures = new Failures()
  #perWeight: (i: number) => number = () => 1

  /**
   * @param from for each its number so far, -1 for who is new
   * @param perWeight mean weight / weight of the one with this number
   */
  onTargets(from: Int32Array, now: number, perWeight: (i: number) => number): void {
    this.#perWeight = perWeight
    this.#latency.onTargets(from, now)
    this.#failures.onTargets(from)
  }

  onOutcome(i: number, { inflight }: Target, outcome: Outcome, now: number): void {
    const { usual } = this.#failures
    // The attempt itself is still among them.
    const rif = Math.max(0, inflight - 1)
    if (outcome.kind === 'abandoned') {
      const { overtakenAfterMs = 0 } = outcome
      if (overtakenAfterMs > this.#latency.estimate(i, rif, now, usual, this.#perWeight(i)))
        this.#latency.observe(i, rif, overtakenAfterMs, now, usual)
      return
    }
    this.#failures.record(i, outcome, now)
    if (!this.fails(i)) this.#latency.observe(i, rif, outcome.latencyMs, now, this.#failures.usual)
  }

  /** Whether it has done nothing but fail of late. */
  fails(i: number): boolean {
    return this.#failures.row(i) > 0
  }

  /** Whether failures count as one request or more. */
  hasFailed(i: number, now: number): boolean {
    return this.#failures.phantoms(i, now) >= 1
  }

  /** So many requests in flight, and failed ones, by weight. */
  counted(i: number, inflight: number, now: number): number {
    const { idle } = this.#failures
    return (idle ? inflight : inflight + this.#failures.phantoms(i, now)) * this.#perWeight(i)
  }

  /** What an answer there would take now, in milliseconds. */
  estimate(i: number, { inflight }: Target, now: number): number {
    return this.#latency.estimate(i, inflight, now, this.#failures.usual, this.#perWeight(i))
  }

  /** A latency, or what failures make of it. */
  delayed(i: number, latencyMs: number, now: number): number {
    return this.#failures.idle ? latencyMs : Math.max(latencyMs, this.#failures.delay(i, now))
  }
}
