import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoff, mayRetry, retryPolicy } from '../../plugins/failover/retry-policy.ts'
import type { Attempt, Outcome, Target } from '../../plugins/upstreams/contract.ts'

const GET = { repeatable: true, replayable: true }
const POST = { repeatable: false, replayable: true }
const STREAMED = { repeatable: true, replayable: false }
const refused: Outcome = { kind: 'failed', reason: 'connect', requestSent: false, latencyMs: 1 }
const reset: Outcome = { kind: 'failed', reason: 'reset', requestSent: true, latencyMs: 1 }
const timedOut: Outcome = { kind: 'failed', reason: 'timeout', requestSent: true, latencyMs: 1 }
const status = (code: number): Outcome => ({ kind: 'answered', status: code, latencyMs: 1 })

function attempt(facts: Partial<Attempt>): Attempt {
  const target = {} as Target
  return {
    upstream: 'u',
    target,
    number: 1,
    method: 'X',
    repeatable: true,
    replayable: true,
    elapsedMs: 0,
    ...facts,
  }
}

const table: [what: string, facts: Partial<Attempt>, outcome: Outcome, retried: boolean][] = [
  ['a GET on a refused connection', GET, refused, true],
  ['a POST on a refused connection: nothing was sent', POST, refused, true],
  ['a GET on a reset', GET, reset, true],
  ['a POST on a reset: it may have been executed', POST, reset, false],
  ['a POST on a time-out', POST, timedOut, false],
  ['a GET answered 503', GET, status(503), true],
  ['a POST answered 503', POST, status(503), false],
  ['a GET answered 500: that is an answer', GET, status(500), false],
  ['a GET answered 200', GET, status(200), false],
  ['a streamed body of which a byte is gone', STREAMED, refused, false],
  ['an attempt that the client abandoned', GET, { kind: 'abandoned' }, false],
]
for (const [what, facts, outcome, retried] of table) {
  test(`${retried ? 'retried' : 'not retried'}: ${what}`, () => {
    assert.equal(mayRetry(attempt(facts), outcome, [502, 503, 504]), retried)
  })
}

test('there are as many retries as the upstream says, and no more', () => {
  const options = { retries: 2, retryOn: [503], maxBackoff: 250 }
  const policy = retryPolicy(
    () => options,
    () => ({ deposit() {}, withdraw: () => true }),
    { random: () => 0.5 },
  )
  const verdicts = [1, 2, 3].map((number) => policy.decide(attempt({ number }), reset).retry)
  assert.deepEqual(verdicts, [true, true, false])
})

test('an empty budget ends the retries, and one that is not made costs nothing', () => {
  let asked = 0
  const budget = {
    deposit() {},
    withdraw() {
      asked++
      return false
    },
  }
  const options = { retries: 2, retryOn: [503], maxBackoff: 250 }
  const policy = retryPolicy(
    () => options,
    () => budget,
    { random: () => 0.5 },
  )
  assert.deepEqual(policy.decide(attempt(GET), reset), { retry: false })
  assert.equal(asked, 1)
  policy.decide(attempt(POST), reset)
  policy.decide(attempt({ ...GET, number: 3 }), reset)
  assert.equal(asked, 1)
})

test('the first retry goes at once, later ones within [0, (2^n - 1) x 25 ms) and never above the cap', () => {
  assert.equal(
    backoff(1, 250, () => 0.999),
    0,
  )
  assert.equal(
    backoff(2, 250, () => 0.5),
    12.5,
  )
  assert.equal(
    backoff(3, 250, () => 1),
    75,
  )
  assert.equal(
    backoff(9, 250, () => 1),
    250,
  )
  assert.equal(
    backoff(9, 250, () => 0),
    0,
  )
})
