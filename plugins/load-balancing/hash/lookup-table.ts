/** What ring and Maglev have in common: entries, each of which belongs to a target. */
import type { Candidates, Target } from '../../upstreams/contract.ts'

export interface LookupTable {
  /** Whose each entry is, as an index of `members`. Never empty once `update` was called. */
  readonly owners: Uint32Array | Uint16Array
  /** May have holes. */
  readonly members: readonly (Target | undefined)[]
  /** By index of `members`; 0 for those that have no entry. */
  readonly weights: readonly number[]
  /** Rebuilds what has changed. */
  update(candidates: Candidates): void
  /** The entry where a key of this hash belongs. */
  entry(hash: number): number
}

/** Where all weights are 0 the targets count alike. */
export function weightsOf(candidates: Candidates): number[] {
  const weights = candidates.map(({ weight }) => weight)
  return weights.some((weight) => weight > 0) ? weights : weights.map(() => 1)
}
