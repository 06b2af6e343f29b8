import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure } from '../../plugins/load-balancing/load/failures.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'

const answered = (status: number): Outcome => ({ kind: 'answered', status, latencyMs: 1 })
const failed = (reason: 'reset' | 'overflow'): Outcome => ({
  kind: 'failed',
  reason,
  requestSent: reason === 'reset',
  latencyMs: 1,
})

test('a target that says of the request that it cannot be done is not shunned for it', () => {
  for (const status of [501, 505, 200, 404, 400])
    assert.equal(isFailure(answered(status)), false, `${status}`)
})

test('a target that fails, is full or asks for less is given less', () => {
  for (const status of [500, 502, 503, 504, 429]) assert.equal(isFailure(answered(status)), true, `${status}`)
  assert.equal(isFailure(failed('reset')), true)
  assert.equal(isFailure(failed('overflow')), true)
  assert.equal(isFailure({ kind: 'abandoned', overtakenAfterMs: 5 }), false)
})
