import type { Outcome } from '../upstreams/contract.ts'

export type Verdict = 'success' | 'failure' | 'neither'

/** 5xx that speak of the request and not of the server: it works, and does not do this. */
const NOT_A_FAULT = new Set([501, 505])

/**
 * What an outcome says of the target. A 429 is a working limit and no fault; an overflow is our own queue; a client
 * that left says nothing; but an attempt that was overtaken by one begun later was slow.
 */
export function verdictOn(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'answered':
      return outcome.status >= 500 && !NOT_A_FAULT.has(outcome.status) ? 'failure' : 'success'
    case 'failed':
      return outcome.reason === 'overflow' ? 'neither' : 'failure'
    case 'abandoned':
      return outcome.overtakenAfterMs === undefined ? 'neither' : 'failure'
  }
}
