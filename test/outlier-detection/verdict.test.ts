import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latencyOf, type Verdict, verdictOf } from '../../plugins/outlier-detection/verdict.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { LEFT, OVERTAKEN, REFUSED, status, TIMED_OUT } from './support.ts'

const failed = (reason: 'reset' | 'protocol' | 'overflow'): Outcome => ({
  kind: 'failed',
  reason,
  requestSent: reason !== 'overflow',
  latencyMs: 30,
})

const table: [what: string, outcome: Outcome, verdict: Verdict, latency: number | undefined][] = [
  ['200', status(200, 7), 'success', 7],
  ['304', status(304, 7), 'success', 7],
  ['404', status(404, 7), 'success', 7],
  ['429: it works and wants less', status(429, 7), 'nothing', undefined],
  ['500', status(500, 7), 'failure', undefined],
  ['501: it will never have that method', status(501, 7), 'success', 7],
  ['503', status(503, 7), 'failure', undefined],
  ['503 with Retry-After', { ...status(503), retryAfterMs: 1000 } as Outcome, 'failure', undefined],
  ['505: it will never have that version', status(505, 7), 'success', 7],
  ['599', status(599, 7), 'failure', undefined],
  ['a refused connection', REFUSED, 'failure', undefined],
  ['a time-out: it was slow, at least that', TIMED_OUT, 'failure', 1000],
  ['a reset', failed('reset'), 'failure', undefined],
  ['no HTTP', failed('protocol'), 'failure', undefined],
  ['our own full queue', failed('overflow'), 'nothing', undefined],
  ['a client that left', LEFT, 'nothing', undefined],
  ['a client that left in silence', { kind: 'abandoned', silentMs: 50 }, 'given-up', undefined],
  ['overtaken by a hedge', OVERTAKEN, 'overtaken', 200],
]
for (const [what, outcome, verdict, latency] of table) {
  test(`${verdict}: ${what}`, () => {
    assert.equal(verdictOf(outcome), verdict)
    assert.equal(latencyOf(outcome, verdict), latency)
  })
}
