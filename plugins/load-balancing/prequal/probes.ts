import type { Target } from '../../upstreams/contract.ts'

/** @param latencyMs NaN where the target says nothing of it */
export type Answered = (target: Target, rif: number, latencyMs: number) => void

export interface ProbeQuestion {
  readonly path: string
  /** Milliseconds. */
  readonly timeout: number
}

/** Asks a target, at some time after the call. What does not answer in time, or not as it should, is not heard of. */
export type Ask = (target: Target, question: ProbeQuestion, answered: Answered) => void

/** What the paper adds to the balance of probes, so that a pool does not run dry. */
const DELTA = 1

/**
 * How often an answer may be used: max(1, (1 + delta) / ((1 - m / n) r_probe - r_remove)), m the size of the pool, n the
 * number of targets (Prequal, section 4.2). Where answers are used up faster than that brings new ones, which with few
 * targets they are, age alone ends them.
 */
export function reuseBudget(poolSize: number, targets: number, probes: number, removals: number): number {
  const gained = (1 - poolSize / targets) * probes - removals
  return gained > 0 ? Math.max(1, (1 + DELTA) / gained) : Number.POSITIVE_INFINITY
}

/**
 * Answers removed from the pool per request: one at three probes a request, as the paper has it, and fewer with fewer.
 * None where the pool has room for every target: it then holds the latest answer of each, and nothing piles up.
 */
export function removalsFor(poolSize: number, targets: number, probes: number): number {
  return targets <= poolSize ? 0 : Math.min(1, probes / 3)
}
