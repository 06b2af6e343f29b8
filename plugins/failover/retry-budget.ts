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

/** What happened in the last ten seconds, second by second. */
export class RecentCount {
  readonly #now: () => number
  readonly #counts = new Float64Array(WINDOW_SECONDS)
  #second: number

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
    this.#second = Math.floor(now() / 1000)
  }

  add(): void {
    const slot = this.#slot()
    this.#counts[slot] = (this.#counts[slot] as number) + 1
  }

  sum(): number {
    this.#slot()
    return this.#counts.reduce((total, one) => total + one, 0)
  }

  #slot(): number {
    const current = Math.floor(this.#now() / 1000)
    // What is older than the window is forgotten; after a long silence that is everything.
    for (let passed = Math.min(current - this.#second, WINDOW_SECONDS); passed > 0; passed--) {
      this.#counts[(current - passed + 1) % WINDOW_SECONDS] = 0
    }
    this.#second = current
    return current % WINDOW_SECONDS
  }
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
  requests = new RecentCount(now),
): OpenBudget {
  const retries = new RecentCount(now)
  let refusals = 0
  const allowed = (): number => ratio * requests.sum() + minPerSecond * WINDOW_SECONDS
  return {
    get refusals() {
      return refusals
    },
    left() {
      return Math.max(0, Math.floor(allowed() - retries.sum()))
    },
    deposit() {
      requests.add()
    },
    withdraw() {
      if (retries.sum() + 1 > allowed()) {
        refusals++
        return false
      }
      retries.add()
      return true
    },
  }
}
