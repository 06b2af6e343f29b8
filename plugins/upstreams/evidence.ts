import type { Outcome } from './contract.ts'

/** It says nothing, neither for nor against. */
export const ABANDONED: Outcome = { kind: 'abandoned' }

/** Errors of the server's that speak of the request: a method or a version that it will never have. */
const OF_THE_REQUEST = new Set([501, 505])

/**
 * What an outcome says against its target, if anything. `failure`: it answered with an error of its own, or did not
 * answer as it should. `overtaken`: a hedge that began later was answered first. A full queue is ours and says
 * nothing; of a client that left, `silenceOf` tells what it had waited for. Whether that is long, and whether an answer
 * speaks *for* the target, is each source's own question.
 */
export function evidenceAgainst(outcome: Outcome): 'failure' | 'overtaken' | undefined {
  switch (outcome.kind) {
    case 'answered':
      return outcome.status >= 500 && !OF_THE_REQUEST.has(outcome.status) ? 'failure' : undefined
    case 'failed':
      return outcome.reason === 'overflow' ? undefined : 'failure'
    case 'abandoned':
      return outcome.overtakenAfterMs === undefined ? undefined : 'overtaken'
  }
}

/** Milliseconds for which an attempt had waited without a sign of life when it was given up; undefined if it was not. */
export function silenceOf(outcome: Outcome): number | undefined {
  return outcome.kind === 'abandoned' ? outcome.silentMs : undefined
}
