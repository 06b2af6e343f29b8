import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { verdictOn } from '../../plugins/circuit-breaker/verdict.ts'
import type { FailureReason, Outcome } from '../../plugins/upstreams/contract.ts'
import { loadedDice } from '../support/dice.ts'
import { bad, breakerOf, left, ok } from './support.ts'

const status = (code: number): Outcome => ({ kind: 'answered', status: code, latencyMs: 1 })
const failed = (reason: FailureReason): Outcome => ({
  kind: 'failed',
  reason,
  requestSent: true,
  latencyMs: 1,
})
const verdicts: [what: string, outcome: Outcome, verdict: string][] = [
  ['200', status(200), 'success'],
  ['404', status(404), 'success'],
  ['429: a limit that works', status(429), 'success'],
  ['500', status(500), 'failure'],
  ['501: the request, not the server', status(501), 'success'],
  ['503', status(503), 'failure'],
  ['505', status(505), 'success'],
  ['a refused connection', failed('connect'), 'failure'],
  ['a time-out', failed('timeout'), 'failure'],
  ['a reset', failed('reset'), 'failure'],
  ['no HTTP', failed('protocol'), 'failure'],
  ['our own queue is full', failed('overflow'), 'neither'],
  ['the client left', left, 'neither'],
  ['overtaken by a hedge', { kind: 'abandoned', overtakenAfterMs: 80 }, 'failure'],
]
for (const [what, outcome, verdict] of verdicts) {
  test(`${verdict}: ${what}`, () => assert.equal(verdictOn(outcome), verdict))
}

describe('a closed breaker', () => {
  it('does not trip on three requests, nor on nineteen, nor before half of them failed', () => {
    const { breaker, attempts, attempt } = breakerOf()
    attempts(3, bad())
    assert.equal(breaker.state, 'closed')
    for (let i = 0; i < 8; i++) {
      attempt(ok())
      attempt(bad())
    }
    assert.equal(breaker.state, 'closed', '11 of 19 failed, which is too few to tell')
    attempt(bad())
    assert.equal(breaker.state, 'open')
  })

  it('opens when the ratio is met, and says once of how many', () => {
    const { told, attempt, attempts } = breakerOf()
    for (let i = 0; i < 8; i++) {
      attempt(bad())
      attempt(ok())
    }
    attempts(2, ok())
    attempts(1, bad())
    attempts(1, ok())
    attempts(1, bad())
    assert.deepEqual(told, [], '10 of 21')
    attempts(1, bad())
    assert.deepEqual(told, ['open: 11 of 22 failed'])
    attempts(30, bad())
    assert.equal(told.length, 1)
  })

  it('opens on failures in a row where there is little traffic; one success breaks the row', () => {
    const { breaker, told, attempts, clock } = breakerOf({ consecutive: 4, minimum: 100 })
    attempts(3, bad())
    attempts(1, ok())
    attempts(3, bad())
    assert.equal(breaker.state, 'closed')
    clock.advance(3_600_000)
    attempts(1, bad())
    assert.deepEqual(told, ['open: 4 failures in a row'])
  })

  it('knows no rows if `consecutive` is 0', () => {
    const { breaker, attempts } = breakerOf({ consecutive: 0, minimum: 1000 })
    attempts(999, bad())
    assert.equal(breaker.state, 'closed')
  })

  it('forgets what is older than its window', () => {
    const { breaker, attempts, clock } = breakerOf({ consecutive: 0 })
    attempts(19, bad())
    clock.advance(10_000)
    attempts(19, bad())
    assert.equal(breaker.state, 'closed')
    clock.advance(8000)
    attempts(1, bad())
    assert.equal(breaker.state, 'open')
  })

  it('takes neither clients that leave nor its own overflow for samples', () => {
    const { breaker, attempts } = breakerOf({ consecutive: 3, minimum: 4 })
    attempts(2, bad())
    attempts(100, left)
    attempts(100, failed('overflow'))
    assert.equal(breaker.state, 'closed')
    attempts(1, bad())
    assert.equal(breaker.state, 'open', 'and they do not break a row')
  })
})

describe('an open breaker', () => {
  it('lets nothing through until its time is over', () => {
    const { breaker, attempts, attempt, clock, told } = breakerOf()
    attempts(10, bad())
    assert.equal(attempt(ok()), false)
    clock.advance(4999)
    breaker.wake()
    assert.equal(breaker.state, 'open')
    clock.advance(1)
    breaker.wake()
    breaker.wake()
    assert.deepEqual(told, ['open: 10 failures in a row', 'half-open: open for 5.0 s'])
  })

  it('is not opened again by what fails besides', () => {
    const { breaker, clock, told, admitted } = breakerOf()
    assert.equal(admitted(50), 50)
    for (let i = 0; i < 50; i++) breaker.settle(bad(), clock.now())
    assert.deepEqual(told, ['open: 10 failures in a row'])
    assert.equal(breaker.dueAt, 5000)
  })

  it('stays open for 5 s, then 10, 20, 40 and never above 60', () => {
    const { breaker, attempts, attempt, clock, halfOpen } = breakerOf()
    const pauses: number[] = []
    attempts(10, bad())
    for (let i = 0; i < 6; i++) {
      pauses.push(breaker.dueAt - clock.now())
      halfOpen()
      attempt(bad())
    }
    assert.deepEqual(pauses, [5000, 10_000, 20_000, 40_000, 60_000, 60_000])
  })

  it('is jittered by a fifth, to both sides', () => {
    for (const [dice, pause] of [
      [0, 4000],
      [0.5, 5000],
      [0.999_999, 6000],
    ] as const) {
      const { breaker, attempts } = breakerOf({}, loadedDice(dice))
      attempts(10, bad())
      assert.equal(Math.round(breaker.dueAt), pause)
    }
  })

  it('that flaps waits longer each time; once it has been closed for a window it begins anew', () => {
    const { breaker, attempts, clock, halfOpen } = breakerOf()
    const pause = (): number => breaker.dueAt - clock.now()
    attempts(10, bad())
    for (const expected of [10_000, 20_000]) {
      halfOpen()
      attempts(2, ok())
      assert.equal(breaker.state, 'closed')
      clock.advance(9999)
      attempts(10, bad())
      assert.equal(pause(), expected)
    }
    halfOpen()
    attempts(2, ok())
    clock.advance(10_000)
    attempts(10, bad())
    assert.equal(pause(), 5000)
  })

  it('closes with a clean slate: what was counted before it opened does not count', () => {
    const { breaker, attempts, halfOpen } = breakerOf({ window: 60_000, consecutive: 0 })
    attempts(20, bad())
    halfOpen()
    attempts(2, ok())
    attempts(19, bad())
    assert.equal(breaker.state, 'closed')
    attempts(1, bad())
    assert.equal(breaker.state, 'open')
  })
})
