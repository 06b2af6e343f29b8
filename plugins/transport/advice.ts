/**
 * What the failover policy says. One that throws has nothing to say, as if there were none: it is asked in the middle of
 * a target's answer, or by a timer, where its error would be taken for the target's, or end the process.
 */
import type { Outcome } from '../upstreams/contract.ts'
import type { Attempt, Retry } from '../upstreams/failover-policy.ts'
import type { Route } from './route.ts'

type Asked = Pick<Route, 'failover' | 'log'>

function failed({ log }: Asked, error: unknown): undefined {
  log.error({ err: error }, 'the failover policy has failed')
}

/** The attempt that is to be made after this one; undefined if it was the last. */
export function nextAttempt(route: Asked, after: Attempt, outcome: Outcome): Retry | undefined {
  try {
    const verdict = route.failover()?.decide(after, outcome)
    return verdict?.retry === true ? verdict : undefined
  } catch (error) {
    return failed(route, error)
  }
}

/** In how many milliseconds a hedge for an attempt that begins is due; undefined is never. */
export function hedgeAfterMs(route: Asked, attempt: Attempt): number | undefined {
  try {
    return route.failover()?.hedgeAfterMs?.(attempt)
  } catch (error) {
    return failed(route, error)
  }
}

/** Whether the hedge that is due now may be made. */
export function mayHedge(route: Asked, attempt: Attempt): boolean {
  try {
    return route.failover()?.mayHedge?.(attempt) === true
  } catch (error) {
    failed(route, error)
    return false
  }
}
