import type { CheckState } from './check-state.ts'

/** Milliseconds from the beginning of one check of a target to the beginning of the next. */
export interface Pace {
  readonly interval: number
  /** While in transition. */
  readonly fastInterval: number
  /** While down. */
  readonly downInterval: number
  /** How far a pause may be off its length, either way, as a part of it: 0..1. */
  readonly jitter: number
  /** Failed checks in a row after which a target counts as down. */
  readonly fall: number
}

/** A gateway that starts is to be of use soon: the first checks are spread over no more milliseconds than this, */
const LONGEST_SPREAD_MS = 250
/** unless there are so many that more than this many would begin in a millisecond. */
const MOST_PER_MS = 1

/** When the first check of target `index` of `count` begins, in milliseconds from the start. */
export function firstPause(index: number, count: number, interval: number): number {
  return (Math.min(interval, Math.max(LONGEST_SPREAD_MS, count / MOST_PER_MS)) * index) / count
}

/**
 * Milliseconds from the beginning of the last check to that of the next. In transition it is the fast interval:
 * after the first failure of a healthy target, after the first success of an unhealthy one, and after a start
 * with failures until there are as many in a row as make a target unhealthy later on: it may be starting too.
 * HAProxy's `inter`, `fastinter` and `downinter`; the jitter (its `spread-checks`) keeps the checks of different
 * targets from falling into step.
 */
export function pauseAfter(state: CheckState, pace: Pace, random: () => number): number {
  return usualPause(state, pace) * (1 + pace.jitter * (2 * random() - 1))
}

function usualPause({ status, passes, failures }: CheckState, pace: Pace): number {
  if (status === 'healthy') return failures > 0 ? pace.fastInterval : pace.interval
  return passes > 0 || failures < pace.fall ? pace.fastInterval : pace.downInterval
}
