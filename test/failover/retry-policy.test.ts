import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { Hedging } from '../../plugins/failover/hedging.ts'
import { backoff, failoverPolicy, mayRetry, pause } from '../../plugins/failover/retry-policy.ts'
import type { Outcome, Target } from '../../plugins/upstreams/contract.ts'
import type { Attempt } from '../../plugins/upstreams/failover-policy.ts'

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
    route: 'r',
    target,
    number: 1,
    made: 1,
    method: 'X',
    repeatable: true,
    replayable: true,
    elapsedMs: 0,
    bound: false,
    stalled: false,
    untried: () => true,
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

const OPTIONS = { retries: 2, retryOn: [503], maxBackoff: 250, maxRetryAfter: 1000 }
const NEVER = new Hedging(
  () => ({ enabled: false, after: 0, atLeast: 0 }),
  () => ({ deposit() {}, withdraw: () => false }),
  () => 0,
)

/** The policy, with a budget that says yes or no, and how often it was asked. */
function policyOf(yes: boolean) {
  const asked = { times: 0 }
  const withdraw = () => {
    asked.times++
    return yes
  }
  const budget = { deposit() {}, withdraw }
  const policy = failoverPolicy(
    () => OPTIONS,
    () => budget,
    NEVER,
    { random: () => 0.5 },
  )
  return { policy, asked }
}

test('there are as many retries as the upstream says, and no more', () => {
  const { policy } = policyOf(true)
  const verdicts = [1, 2, 3].map((number) => policy.decide(attempt({ number }), reset).retry)
  assert.deepEqual(verdicts, [true, true, false])
})

test('an empty budget ends the retries, and one that is not made costs nothing', () => {
  const { policy, asked } = policyOf(false)
  assert.deepEqual(policy.decide(attempt(GET), reset), { retry: false })
  assert.equal(asked.times, 1)
  policy.decide(attempt(POST), reset)
  policy.decide(attempt({ ...GET, number: 3 }), reset)
  assert.equal(asked.times, 1)
})

test('a refused connection costs the budget nothing as long as another target is left', () => {
  const { policy, asked } = policyOf(false)
  assert.deepEqual(policy.decide(attempt({ ...POST, number: 5 }), refused), {
    retry: true,
    delayMs: 0,
    free: true,
  })
  assert.equal(asked.times, 0)
  assert.deepEqual(policy.decide(attempt({ ...GET, untried: () => false }), refused), { retry: false })
  assert.equal(asked.times, 1)
})

test('there is an end to refused connections as well, however many targets are left', () => {
  const { policy } = policyOf(true)
  assert.equal(policy.decide(attempt({ ...GET, made: 16 }), refused).retry, true)
  assert.deepEqual(policy.decide(attempt({ ...GET, made: 17 }), refused), { retry: false })
})

test('another target is no reason to wait, however many have failed and how; the same one is', () => {
  for (const outcome of [refused, reset, status(503)]) {
    const second = attempt({ ...GET, number: 2 })
    assert.equal(
      pause(second, outcome, OPTIONS, () => 0.9),
      0,
    )
    assert.equal(
      pause({ ...second, untried: () => false }, outcome, OPTIONS, () => 0.9),
      22.5,
    )
  }
})

describe('a Retry-After', () => {
  const busy = (retryAfterMs: number): Outcome => ({
    kind: 'answered',
    status: 503,
    latencyMs: 1,
    retryAfterMs,
  })
  const last = attempt({ ...GET, untried: () => false })
  const of = (one: Attempt, outcome: Outcome) => pause(one, outcome, OPTIONS, () => 0)

  it('is nothing to wait for where another target has not been asked', () => {
    assert.equal(of(attempt(GET), busy(600)), 0)
  })
  it('is waited for where the same target would be asked again', () => {
    assert.equal(of(last, busy(600)), 600)
    const { policy } = policyOf(true)
    assert.deepEqual(policy.decide(last, busy(600)), { retry: true, delayMs: 600, free: false })
  })
  it('of the longest that is waited for is waited for, and a shorter one than the usual pause is not enough', () => {
    assert.equal(of(last, busy(1000)), 1000)
    const third = attempt({ ...GET, number: 3, untried: () => false })
    assert.equal(
      pause(third, busy(10), OPTIONS, () => 0.5),
      37.5,
    )
    assert.equal(
      pause(third, busy(70), OPTIONS, () => 0.5),
      70,
    )
  })
  it('that is too long ends the retries, at no cost', () => {
    assert.equal(of(last, busy(1001)), undefined)
    const { policy, asked } = policyOf(true)
    assert.deepEqual(policy.decide(last, busy(1001)), { retry: false })
    assert.equal(asked.times, 0)
  })
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
