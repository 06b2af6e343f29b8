import type { Outcome, Target } from '../../upstreams/contract.ts'
import { Failures } from './failures.ts'

/**
 * Requests under way. A failed attempt counts as if it were under way for as long as `Failures` says: one that fails at
 * once has no requests under way, and would otherwise be sent all of them.
 */
export class InflightLoad {
  readonly #failures = new Failures()

  /** The candidates have changed; `from` has for each its number so far, -1 for who is new. */
  onTargets(from: Int32Array): void {
    this.#failures.onTargets(from)
  }

  /** Requests that count as under way. A question: changes nothing. */
  active(i: number, target: Target, now: number): number {
    return target.inflight + this.#failures.phantoms(i, now)
  }

  /** True while `active` is `inflight` for all, so that nobody need look at the clock. */
  get plain(): boolean {
    return this.#failures.idle
  }

  onOutcome(i: number, outcome: Outcome, now: number): void {
    if (outcome.kind !== 'abandoned') this.#failures.record(i, outcome, now)
  }
}
