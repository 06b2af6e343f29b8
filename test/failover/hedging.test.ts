import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HedgeOptions, Hedging, quantileOf } from '../../plugins/failover/hedging.ts'
import { LatencyWindow } from '../../plugins/failover/latency-window.ts'
import { retryBudget } from '../../plugins/failover/retry-budget.ts'
import type { Attempt } from '../../plugins/upstreams/failover-policy.ts'
import { seededDice, virtualClock } from '../support/dice.ts'

const GET = { upstream: 'u', route: 'r', repeatable: true, replayable: true } as Attempt
const STALLED = { ...GET, stalled: true }
const answered = (latencyMs: number) => ({ kind: 'answered', status: 200, latencyMs }) as const

function hedgingOf(options: Partial<HedgeOptions> = {}) {
  const clock = virtualClock()
  const budget = retryBudget({ ratio: 0.05, minPerSecond: 0 }, clock.now)
  const all = { enabled: true, after: { quantile: 0.95 }, atLeast: 0, ...options }
  return {
    clock,
    budget,
    hedging: new Hedging(
      () => all,
      () => budget,
      clock.now,
    ),
  }
}

test('a quantile is found to within the width of a bucket, and what is old is forgotten', () => {
  const window = new LatencyWindow(0)
  const random = seededDice(5)
  for (let i = 0; i < 10_000; i++) window.add(1 + 99 * random(), 0)
  for (const quantile of [0.5, 0.95, 0.99]) {
    const exact = 1 + 99 * quantile
    const found = window.quantile(quantile)
    assert.ok(found >= exact * 0.97 && found <= exact * 1.13, `p${100 * quantile} is ${found}`)
  }
  for (let i = 0; i < 300; i++) window.add(1000, 5000 + i)
  assert.ok(window.quantile(0.5) < 100, 'the window before still counts')
  for (let i = 0; i < 300; i++) window.add(1000, 10_001 + i)
  assert.ok(window.quantile(0.05) > 900, 'what is two windows old still counts')
})

test('a latency of nothing, or beyond all buckets, is one all the same', () => {
  const window = new LatencyWindow(0)
  window.add(0, 0)
  assert.ok(window.quantile(0.95) > 0)
  for (let i = 0; i < 99; i++) window.add(1e12, 0)
  assert.ok(window.quantile(0.95) > 500_000)
  assert.equal(window.size, 100)
})

test('a late hedge before enough is known of the route; then after its quantile, each route by itself', () => {
  const { hedging, clock } = hedgingOf()
  assert.equal(hedging.afterMs(GET), 1000)
  for (let i = 0; i < 19; i++) hedging.answered(GET, answered(10))
  assert.equal(hedging.afterMs(GET), 1000)
  hedging.answered(GET, answered(10))
  assert.equal(hedging.afterMs(GET), 1000, 'reckoned a moment ago')
  clock.advance(250)
  const after = hedging.afterMs(GET) as number
  assert.ok(after >= 9 && after <= 11.5, `${after}`)
  const slow = { ...GET, route: 'reports' }
  for (let i = 0; i < 20; i++) hedging.answered(slow, answered(2000))
  assert.ok((hedging.afterMs(slow) as number) > 1900)
  assert.equal(hedging.afterMs(GET), after)
})

test('a floor keeps quick routes from being hedged for nothing; a fixed time needs no knowledge', () => {
  const { hedging, clock } = hedgingOf({ atLeast: 5 })
  for (let i = 0; i < 50; i++) hedging.answered(GET, answered(0.4))
  clock.advance(250)
  assert.equal(hedging.afterMs(GET), 5)
  assert.equal(hedgingOf({ after: 30 }).hedging.afterMs(GET), 30)
})

test('never for what may not be repeated, cannot be sent again, or where it is off', () => {
  const { hedging } = hedgingOf({ after: 30 })
  assert.equal(hedging.afterMs({ ...GET, repeatable: false }), undefined)
  assert.equal(hedging.afterMs({ ...GET, replayable: false }), undefined)
  assert.equal(hedgingOf({ after: 30, enabled: false }).hedging.afterMs(GET), undefined)
})

test('hedges are a small part of the requests, however slow the upstream has become', () => {
  const { hedging, budget } = hedgingOf({ after: 30 })
  let hedges = 0
  for (let i = 0; i < 1000; i++) {
    budget.deposit()
    if (hedging.may(GET)) hedges++
  }
  assert.ok(hedges >= 45 && hedges <= 50, `${hedges}`)
})

test('what has stalled need not wait for a quantile that polls have made long, but no less than its route takes', () => {
  const { hedging, clock } = hedgingOf()
  for (let i = 0; i < 100; i++) hedging.answered(GET, answered(i % 10 === 0 ? 3000 : 20))
  clock.advance(250)
  assert.ok((hedging.afterMs(GET) as number) > 2900)
  const after = hedging.afterMs(STALLED) as number
  assert.ok(after > 38 && after < 42, `${after}`)
  const even = { ...GET, route: 'even' }
  for (let i = 0; i < 100; i++) hedging.answered(even, answered(20))
  assert.equal(hedging.afterMs({ ...even, stalled: true }), hedging.afterMs(even))
})

test('while nearly all answers are late a hedge would only be more load, unless the attempt has stalled', () => {
  const { hedging, budget, clock } = hedgingOf()
  const run = (ms: number, latencyOf: (i: number) => number): void => {
    for (let i = 0; i < ms / 10; i++) {
      budget.deposit()
      hedging.answered(GET, answered(latencyOf(i)))
      hedging.afterMs(GET)
      clock.advance(10)
    }
  }
  run(8000, (i) => 20 + (i % 50))
  assert.equal(hedging.may(GET), true)
  run(3000, (i) => 100 + 5 * i)
  assert.equal(hedging.may(GET), false)
  assert.equal(hedging.may(STALLED), true)
  assert.equal(hedging.may({ ...GET, route: 'another' }), true)
  // It drains.
  run(1200, (i) => 1500 - 10 * i)
  assert.equal(hedging.may(GET), false)
  run(500, (i) => 20 + (i % 50))
  assert.equal(hedging.may(GET), true)
  run(60_000, () => 500)
  assert.equal(hedging.may(GET), true, 'that is how it is now')
})

test('what is a quantile', () => {
  assert.equal(quantileOf('p95'), 0.95)
  assert.equal(quantileOf('p99.9'), 0.9990000000000001)
  for (const none of ['p0', 'p100', 'p', '95', '30ms', 30, undefined])
    assert.equal(quantileOf(none), undefined)
})
