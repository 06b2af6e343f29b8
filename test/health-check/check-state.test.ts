import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { afterCheck, type CheckState, reasonOf, UNCHECKED } from '../../plugins/health-check/check-state.ts'
import { firstPause, pauseAfter } from '../../plugins/health-check/schedule.ts'

const THRESHOLDS = { rise: 2, fall: 3 }

/** The state after checks that passed (`+`) and failed (`-`). */
function after(checks: string, thresholds = THRESHOLDS): CheckState {
  return [...checks].reduce((state, one) => afterCheck(state, one === '+', thresholds), UNCHECKED)
}

const histories: [checks: string, status: CheckState['status'], what: string][] = [
  ['', 'unchecked', 'nothing is known before the first check'],
  ['+', 'healthy', 'at the start one success is enough'],
  ['-', 'unhealthy', 'at the start one failure is enough'],
  ['+-', 'healthy', 'one failed check removes nobody'],
  ['+--', 'healthy', 'nor do two'],
  ['+---', 'unhealthy', 'three in a row do'],
  ['+--+--', 'healthy', 'failures count in a row only'],
  ['+---+', 'unhealthy', 'one success does not bring it back'],
  ['+---++', 'healthy', 'two in a row do'],
  ['+---+-+', 'unhealthy', 'successes count in a row only'],
  ['-+', 'unhealthy', 'what failed at the start has to rise like any other'],
  ['-++', 'healthy', 'and then is healthy'],
]
for (const [checks, status, what] of histories) {
  test(`${what}: ${checks || 'no check'} is ${status}`, () => assert.equal(after(checks).status, status))
}

test('rise 1 and fall 1: every check decides', () => {
  const eager = { rise: 1, fall: 1 }
  for (const [checks, status] of [
    ['+-', 'unhealthy'],
    ['+-+', 'healthy'],
    ['-+', 'healthy'],
  ] as const) {
    assert.equal(after(checks, eager).status, status, checks)
  }
})

test('it turns only on as many equal checks in a row as it takes, whatever came before', () => {
  const bounds = fc.record({ rise: fc.integer({ min: 1, max: 5 }), fall: fc.integer({ min: 1, max: 5 }) })
  fc.assert(
    fc.property(bounds, fc.array(fc.boolean(), { maxLength: 60 }), (thresholds, checks) => {
      let state = UNCHECKED
      for (const [i, ok] of checks.entries()) {
        const next = afterCheck(state, ok, thresholds)
        const run = ok ? thresholds.rise : thresholds.fall
        const inARow = checks.slice(Math.max(0, i + 1 - run), i + 1)
        const enough = inARow.length === run && inARow.every((one) => one === ok)
        const opposed = state.status === (ok ? 'unhealthy' : 'healthy')
        if (state.status === 'unchecked' || (opposed && enough)) {
          assert.equal(next.status, ok ? 'healthy' : 'unhealthy')
        } else assert.equal(next.status, state.status)
        state = next
      }
    }),
    { seed: 11, numRuns: 500 },
  )
})

test('the reason counts the checks, and says what the last one met with', () => {
  assert.equal(reasonOf(after('+'), { ok: true }), '1 check passed')
  assert.equal(reasonOf(after('-++'), { ok: true }), '2 checks passed')
  assert.equal(reasonOf(after('-'), { ok: false, why: 'reset' }), '1 check failed: reset')
  assert.equal(reasonOf(after('+---'), { ok: false, why: 'status 500' }), '3 checks failed: status 500')
})

const PACE = { interval: 2000, fastInterval: 500, downInterval: 5000, jitter: 0, fall: 3 }
const paces: [checks: string, pause: number, what: string][] = [
  ['+', 2000, 'healthy'],
  ['+-', 500, 'healthy with a first failure'],
  ['+-+', 2000, 'healthy again before it fell'],
  ['+---', 5000, 'down'],
  ['+---+', 500, 'down with a first success'],
  ['+---++', 2000, 'back'],
  ['-', 500, 'failed at the start: it may be starting too'],
  ['--', 500, 'still failing at the start'],
  ['---', 5000, 'failed at the start as often as it takes'],
]
for (const [checks, pause, what] of paces) {
  test(`${what}: the next check begins ${pause} ms after the last (${checks})`, () => {
    assert.equal(
      pauseAfter(after(checks), PACE, () => 0.3),
      pause,
    )
  })
}

test('jitter moves a pause either way, by no more than its part', () => {
  const pace = { ...PACE, jitter: 0.1 }
  const pauses = [0, 0.25, 0.5, 0.999].map((dice) => pauseAfter(after('+'), pace, () => dice))
  assert.deepEqual(pauses.slice(0, 3), [1800, 1900, 2000])
  assert.ok((pauses[3] as number) > 2199 && (pauses[3] as number) < 2200)
})

test('the first checks are spread evenly, over an interval or a quarter of a second', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((index) => firstPause(index, 5, 2000)),
    [0, 50, 100, 150, 200],
  )
  assert.deepEqual(
    [0, 1].map((index) => firstPause(index, 2, 100)),
    [0, 50],
  )
  assert.equal(firstPause(0, 1, 2000), 0)
  assert.equal(firstPause(9999, 10_000, 60_000), 9999, 'no more than one a millisecond')
  assert.equal(firstPause(9999, 10_000, 5000), 4999.5, 'and no later than the interval')
})
