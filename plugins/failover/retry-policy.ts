import type { Attempt, FailoverPolicy, Outcome, PolicyContext } from '../upstreams/contract.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface RetryOptions {
  /** Further attempts after the first. */
  readonly retries: number
  /** Statuses that count as a failed attempt. */
  readonly retryOn: readonly number[]
  /** Milliseconds. */
  readonly maxBackoff: number
}

/** Envoy's base interval. */
const BASE_BACKOFF_MS = 25

/**
 * Whether what happened may be undone by trying again: nothing was sent, or sending it twice does no harm;
 * and in both cases the body is still there to be sent.
 */
export function mayRetry(attempt: Attempt, outcome: Outcome, retryOn: readonly number[]): boolean {
  if (!attempt.replayable) return false
  switch (outcome.kind) {
    case 'abandoned':
      return false
    case 'answered':
      return attempt.repeatable && retryOn.includes(outcome.status)
    case 'failed':
      return !outcome.requestSent || attempt.repeatable
  }
}

/**
 * Milliseconds to wait before attempt `number + 1`. The first retry goes to another target and has nothing
 * to wait for; from then on uniform in [0, (2^n - 1) x 25 ms) (Envoy), n counting those retries.
 */
export function backoff(number: number, maxBackoff: number, random: () => number): number {
  if (number <= 1) return 0
  return Math.min(maxBackoff, random() * (2 ** (number - 1) - 1) * BASE_BACKOFF_MS)
}

/** Retries within the bounds of an upstream's options and budget. */
export function retryPolicy(
  optionsOf: (upstream: string) => RetryOptions,
  budgetOf: (upstream: string) => RetryBudget,
  { random }: Pick<PolicyContext, 'random'>,
): FailoverPolicy {
  return {
    decide(attempt, outcome) {
      const options = optionsOf(attempt.upstream)
      if (attempt.number > options.retries) return { retry: false }
      if (!mayRetry(attempt, outcome, options.retryOn)) return { retry: false }
      // Asked last: a retry that is not made must not be paid for.
      if (!budgetOf(attempt.upstream).withdraw()) return { retry: false }
      return { retry: true, delayMs: backoff(attempt.number, options.maxBackoff, random) }
    },
  }
}
