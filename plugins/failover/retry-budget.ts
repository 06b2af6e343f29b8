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

/**
 * Bounds retries to a share of the traffic of the last ten seconds, with a floor for quiet times. Without it,
 * retries multiply the load on an upstream just when it fails for having too much.
 *
 * Finagle's RetryBudget: 20 % of the requests of the last 10 s, and 10 a second besides.
 * @param now milliseconds, monotonic
 */
export function retryBudget({ ratio, minPerSecond }: RetryBudgetOptions, now: () => number): RetryBudget {
  const requests = new Float64Array(WINDOW_SECONDS)
  const retries = new Float64Array(WINDOW_SECONDS)
  let second = Math.floor(now() / 1000)

  function slot(): number {
    const current = Math.floor(now() / 1000)
    // What is older than the window is forgotten; after a long silence that is everything.
    for (let passed = Math.min(current - second, WINDOW_SECONDS); passed > 0; passed--) {
      const stale = (current - passed + 1) % WINDOW_SECONDS
      requests[stale] = 0
      retries[stale] = 0
    }
    second = current
    return current % WINDOW_SECONDS
  }

  const sum = (counts: Float64Array): number => counts.reduce((total, one) => total + one, 0)

  return {
    deposit() {
      const current = slot()
      requests[current] = (requests[current] as number) + 1
    },
    withdraw() {
      const current = slot()
      const allowed = ratio * sum(requests) + minPerSecond * WINDOW_SECONDS
      if (sum(retries) + 1 > allowed) return false
      retries[current] = (retries[current] as number) + 1
      return true
    },
  }
}
