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

/** Answers that are held, at most, unless it is said how many; the paper's number. */
export const MOST_HELD = 16
/** And at least: with fewer, what the probes of one request bring would push each other out. */
const FEWEST_HELD = 4

/**
 * Answers that are held where nothing is said: half as many as there are targets, from 4 to 16. A pool of nearly all of them
 * has the answers that are the best of all, and everybody's requests run there until they are old.
 */
export function poolSizeFor(targets: number): number {
  return Math.min(MOST_HELD, Math.max(FEWEST_HELD, Math.ceil(targets / 2)))
}

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
 * The part of the time (0..1) that the pool has an answer of a target, if answers come by weight: at least one of so many
 * draws was its. 1 where every request probes all.
 *
 * @param part of the weight of all targets (0..1)
 */
export function presence(part: number, poolSize: number, targets: number, probes: number): number {
  return targets <= Math.min(poolSize, probes) ? 1 : 1 - (1 - part) ** poolSize
}

/**
 * Answers removed from the pool per request: one at three probes a request, as the paper has it, and fewer with fewer.
 * None where the pool has room for every target: it then holds the latest answer of each, and nothing piles up.
 */
export function removalsFor(poolSize: number, targets: number, probes: number): number {
  return targets <= poolSize ? 0 : Math.min(1, probes / 3)
}
