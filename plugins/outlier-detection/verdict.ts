import type { Outcome } from '../upstreams/contract.ts'

/**
 * What an outcome says of the target. `overtaken`: a hedge that began later was answered first, which is evidence of
 * slowness. `nothing`: it says nothing.
 */
export type Verdict = 'success' | 'failure' | 'overtaken' | 'nothing'

/** Properties of the request and not of the target: a method or a version that it will never have. */
const NOT_IMPLEMENTED = 501
const VERSION_NOT_SUPPORTED = 505
const TOO_MANY_REQUESTS = 429

/**
 * Envoy counts every 5xx, and time-outs, resets and refused connections as if they were. Departures: 501 and 505 are
 * the request's fault; a 429 is a target that works and wants less, so neither; our own full queue is not the target's.
 */
export function verdictOf(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'answered': {
      const { status } = outcome
      if (status === TOO_MANY_REQUESTS) return 'nothing'
      if (status < 500 || status === NOT_IMPLEMENTED || status === VERSION_NOT_SUPPORTED) return 'success'
      return 'failure'
    }
    case 'failed':
      return outcome.reason === 'overflow' ? 'nothing' : 'failure'
    case 'abandoned':
      return outcome.overtakenAfterMs === undefined ? 'nothing' : 'overtaken'
  }
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
