import type { Outcome } from '../upstreams/contract.ts'
import { evidenceAgainst, silenceOf } from '../upstreams/evidence.ts'

/**
 * What an outcome says of the target. `overtaken`: a hedge that began later was answered first, which is evidence of
 * slowness. `given-up`: the client left before there was a sign of life, which is evidence if it had waited long.
 * `nothing`: it says nothing.
 */
export type Verdict = 'success' | 'failure' | 'overtaken' | 'given-up' | 'nothing'

const TOO_MANY_REQUESTS = 429

/**
 * Envoy counts every 5xx, and time-outs, resets and refused connections as if they were. Departures: 501 and 505 are
 * the request's fault; a 429 is a target that works and wants less, so neither; our own full queue is not the target's.
 */
export function verdictOf(outcome: Outcome): Verdict {
  const against = evidenceAgainst(outcome)
  if (against !== undefined) return against
  if (outcome.kind === 'answered' && outcome.status !== TOO_MANY_REQUESTS) return 'success'
  return silenceOf(outcome) === undefined ? 'nothing' : 'given-up'
}

/**
 * Milliseconds that an outcome says the target took, at least; undefined where it says nothing of its speed. Failures
 * do not count but for time-outs: targets that fail fast would make those that work look slow.
 */
export function latencyOf(outcome: Outcome, verdict: Verdict): number | undefined {
  if (outcome.kind === 'abandoned') return outcome.overtakenAfterMs
  if (verdict === 'success') return outcome.latencyMs
  return outcome.kind === 'failed' && outcome.reason === 'timeout' ? outcome.latencyMs : undefined
}
