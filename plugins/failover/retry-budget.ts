import { RollingCount } from '../upstreams/rolling-count.ts'

/** Seconds over which requests and retries are counted. */
const WINDOW_SECONDS = 10

export interface RetryBudgetOptions {
  /** Retries that each request pays for. */
  readonly ratio: number
  /** Retries per second that are allowed whatever the traffic. */
  readonly minPerSecond: number
}

export interface RetryBudget {
  /** A request was made. */
  deposit(): void
  /** Takes one retry if there is one left. */
  withdraw(): boolean
}

/** One whose state is shown. */
export interface OpenBudget extends RetryBudget {
  /** Retries that could be taken now; whole ones only. */
  left(): number
  /** How often there was none left. */
  readonly refusals: number
}

/** Of what a budget is reckoned from. */
export function recentCount(now: () => number): RollingCount {
  return new RollingCount(WINDOW_SECONDS * 1000, now())
}

/**
 * Bounds retries to a share of the traffic of the last ten seconds, with a floor for quiet times. Without it,
 * retries multiply the load on an upstream just when it fails for having too much.
 *
 * Finagle's RetryBudget: 20 % of the requests of the last 10 s, and 10 a second besides.
 * @param now milliseconds, monotonic
 * @param requests of the upstream, where several budgets count the same ones: a deposit in one is one in all
 */
export function retryBudget(
  { ratio, minPerSecond }: RetryBudgetOptions,
  now: () => number,
  requests = recentCount(now),
): OpenBudget {
  const retries = recentCount(now)
  let refusals = 0
  const allowed = (): number => ratio * requests.sum(now()) + minPerSecond * WINDOW_SECONDS
  return {
    get refusals() {
      return refusals
    },
    left() {
      return Math.max(0, Math.floor(allowed() - retries.sum(now())))
    },
    deposit() {
      requests.add(now())
    },
    withdraw() {
      if (retries.sum(now()) + 1 > allowed()) {
        refusals++
        return false
      }
      retries.add(now())
      return true
    },
  }
}
