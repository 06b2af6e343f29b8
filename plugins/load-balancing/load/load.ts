import type { Outcome } from '../../upstreams/contract.ts'

/** What "loaded" means. Reading a load never changes it. */
export interface Load {
  /**
   * The candidates have changed.
   * @param from for each its number so far, -1 for who is new
   * @param perWeight mean weight of the candidates / weight of the one with this number
   */
  onTargets(from: Int32Array, perWeight: (i: number) => number): void
  /**
   * Less is better. O(1).
   * @param i number of the target
   * @param requests under way there, by weight
   */
  cost(i: number, requests: number, now: number): number
  onOutcome(i: number, outcome: Outcome, now: number): void
}
