import type { Outcome, PolicyContext } from '../upstreams/contract.ts'
import type { Attempt, FailoverPolicy } from '../upstreams/failover-policy.ts'
import type { Hedging } from './hedging.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface RetryOptions {
  /** Further attempts after the first. */
  readonly retries: number
  /** Statuses that count as a failed attempt. */
  readonly retryOn: readonly number[]
  /** Milliseconds. */
  readonly maxBackoff: number
  /** Milliseconds. */
  readonly maxRetryAfter: number
}

/** Attempts that found nobody there are not counted, but there is an end to everything. */
const MOST_RETRIES = 16

/** Envoy's base interval. */
const BASE_BACKOFF_MS = 25

/** What servers in front of an application answer in its place: it has not spoken itself. */
const NOT_THE_APPLICATION = new Set([502, 503, 504])

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
      // What the session's target says counts. Another one would only say that it knows no such session.
      if (attempt.bound && !NOT_THE_APPLICATION.has(outcome.status)) return false
      return attempt.repeatable && retryOn.includes(outcome.status)
    case 'failed':
      return !outcome.requestSent || attempt.repeatable
  }
}

/**
 * Milliseconds to wait before attempt `number + 1` at a target that was tried already. The first retry has nothing to
 * wait for; from then on uniform in [0, (2^n - 1) x 25 ms) (Envoy), n counting those retries.
 */
export function backoff(number: number, maxBackoff: number, random: () => number): number {
  if (number <= 1) return 0
  return Math.min(maxBackoff, random() * (2 ** (number - 1) - 1) * BASE_BACKOFF_MS)
}

/**
 * Milliseconds until the next attempt, or undefined if that is too long. What a target asks for (Retry-After) counts
 * where it would be asked again: another one has not said anything.
 */
export function pause(
  attempt: Attempt,
  outcome: Outcome,
  { maxBackoff, maxRetryAfter }: RetryOptions,
  random: () => number,
): number | undefined {
  // Another target is no reason to wait, however many have failed: the budget sees to it that they are not stormed.
  if (attempt.untried()) return 0
  const usual = backoff(attempt.number, maxBackoff, random)
  const asked = outcome.kind === 'answered' ? outcome.retryAfterMs : undefined
  if (asked === undefined) return usual
  return asked <= maxRetryAfter ? Math.max(asked, usual) : undefined
}

/** Retries and hedges within the bounds of an upstream's options and budgets. */
export function failoverPolicy(
  optionsOf: (upstream: string) => RetryOptions,
  budgetOf: (upstream: string) => RetryBudget,
  hedging: Hedging,
  { random }: Pick<PolicyContext, 'random'>,
): FailoverPolicy {
  return {
    decide(attempt, outcome) {
      if (outcome.kind === 'answered') hedging.answered(attempt, outcome)
      const options = optionsOf(attempt.upstream)
      // Nothing was sent: the upstream sees one request all the same, there is no storm to fear, and nothing to count.
      const free = outcome.kind === 'failed' && !outcome.requestSent && attempt.untried()
      if (free ? options.retries === 0 : attempt.number > options.retries) return { retry: false }
      if (attempt.made > MOST_RETRIES) return { retry: false }
      if (!mayRetry(attempt, outcome, options.retryOn)) return { retry: false }
      const delayMs = pause(attempt, outcome, options, random)
      if (delayMs === undefined) return { retry: false }
      // Asked last: a retry that is not made must not be paid for.
      if (!free && !budgetOf(attempt.upstream).withdraw()) return { retry: false }
      return { retry: true, delayMs, free }
    },
    hedgeAfterMs: (attempt) =>
      attempt.number > optionsOf(attempt.upstream).retries + 1 ? undefined : hedging.afterMs(attempt),
    mayHedge: (attempt) => hedging.may(attempt),
  }
}
