import type { Outcome } from '../upstreams/contract.ts'
import { evidenceAgainst } from '../upstreams/evidence.ts'

export type Verdict = 'success' | 'failure' | 'neither'

/**
 * What an outcome says of the target. A 429 is a working limit and no fault; an overflow is our own queue; a client
 * that left says nothing; but an attempt that was overtaken by one begun later was slow.
 */
export function verdictOn(outcome: Outcome): Verdict {
  if (evidenceAgainst(outcome) !== undefined) return 'failure'
  return outcome.kind === 'answered' ? 'success' : 'neither'
}
