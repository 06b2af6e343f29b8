import type { Candidates, Outcome, Target } from '../../upstreams/contract.ts'

/** What "loaded" means. Reading a load never changes it. */
export interface Load {
  /** The candidates have changed; `from` has for each its number so far, -1 for who is new. */
  onTargets(candidates: Candidates, from: Int32Array): void
  /**
   * Less is better. O(1).
   * @param i number of the target
   * @param perWeight mean weight of the candidates / weight of this one
   */
  cost(i: number, target: Target, perWeight: number, now: number): number
  onOutcome(i: number, outcome: Outcome, now: number): void
}
