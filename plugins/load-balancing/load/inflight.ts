import type { Candidates, Outcome, Target } from '../../upstreams/contract.ts'
import { Failures } from './failures.ts'
import type { Load } from './load.ts'

/**
 * Requests under way, by weight. A failed attempt counts as if it were under way for as long as `Failures` says: one
 * that fails at once has no requests under way, and would otherwise be sent all of them.
 */
export class InflightLoad implements Load {
  readonly #failures = new Failures()

  onTargets(_candidates: Candidates, from: Int32Array): void {
    this.#failures.onTargets(from)
  }

  /** Requests that count as under way. */
  active(i: number, target: Target, now: number): number {
    return target.inflight + this.#failures.phantoms(i, now)
  }

  /** True while `active` is `inflight` for all, so that nobody need look at the clock. */
  get plain(): boolean {
    return this.#failures.idle
  }

  cost(i: number, target: Target, perWeight: number, now: number): number {
    return this.active(i, target, now) * perWeight
  }

  onOutcome(i: number, outcome: Outcome, now: number): void {
    if (outcome.kind !== 'abandoned') this.#failures.record(i, outcome, now)
  }
}
