import type { Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'

function outcomeText(outcome: Outcome | undefined, decision: AttemptRecord['decision']): string {
  // The head of a long answer goes out before its end is known.
  if (outcome === undefined) return decision === 'commit' ? 'streaming' : 'under way'
  if (outcome.kind === 'answered') return `answered ${outcome.status}`
  return outcome.kind === 'failed' ? outcome.reason : 'abandoned'
}

/**
 * The attempts of an exchange in the order in which they began, as a header's value: target, kind, outcome and what
 * was done about it, and last how many there were and how long they were waited for.
 */
export function attemptsText({
  attempts,
  upstreamMs,
}: {
  readonly attempts: readonly Pick<AttemptRecord, 'target' | 'kind' | 'outcome' | 'decision'>[]
  readonly upstreamMs: number
}): string {
  const entries = attempts.map(({ target, kind, outcome, decision }) =>
    [target.origin, kind, outcomeText(outcome, decision), decision ?? 'open'].join('; '),
  )
  const text = [...entries, `total; ${attempts.length}; ${Math.round(upstreamMs)}ms`].join(', ')
  // The path of a socket may hold what a header may not.
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
