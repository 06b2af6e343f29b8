import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shareAfter } from '../../plugins/slow-start/ramp.ts'
import { SlowStart } from '../../plugins/slow-start/slow-start.ts'
import type { Target } from '../../plugins/upstreams/contract.ts'
import { virtualClock } from '../support/dice.ts'
import { testTargets } from '../support/test-targets.ts'

const RAMP = { window: 10_000, aggression: 1, min: 0.1 }

const shares: [elapsed: number, ramp: typeof RAMP, share: number][] = [
  [0, RAMP, 0.1],
  [500, RAMP, 0.1],
  [2000, RAMP, 0.2],
  [5000, RAMP, 0.5],
  [9999, RAMP, 0.9999],
  [10_000, RAMP, 1],
  [99_999, RAMP, 1],
  [2500, { ...RAMP, aggression: 2 }, 0.5],
  [5000, { ...RAMP, aggression: 0.5 }, 0.25],
  [0, { ...RAMP, min: 1 }, 1],
]
for (const [elapsed, ramp, share] of shares) {
  const { aggression, min } = ramp
  test(`the share after ${elapsed} of 10000 ms is ${share} (aggression ${aggression}, min ${min})`, () => {
    assert.ok(Math.abs(shareAfter(elapsed, ramp) - share) < 1e-12, `${shareAfter(elapsed, ramp)}`)
  })
}

test('the share never falls', () => {
  for (const aggression of [0.1, 1, 3, 10]) {
    let before = 0
    for (let elapsed = 0; elapsed <= 11_000; elapsed += 37) {
      const share = shareAfter(elapsed, { ...RAMP, aggression })
      assert.ok(share >= before && share >= 0.1 && share <= 1)
      before = share
    }
  }
})

function slowStart() {
  const clock = virtualClock()
  const state = new SlowStart(RAMP, clock.now)
  const hear = (target: Target, ...names: readonly string[]): boolean[] =>
    names.map((name) =>
      state.heard({ name, upstream: 'contract', target, by: 'test', why: '', level: 'info' }, target),
    )
  return { clock, state, hear }
}

const histories: [events: string[], share: number, what: string][] = [
  [['healthy'], 1, 'the first check of a target that nothing is held against'],
  [['unhealthy', 'healthy'], 0.1, 'one that was unhealthy'],
  [['ejected', 'returned'], 0.1, 'one that was ejected'],
  [['returned'], 0.1, 'one that is said to return'],
  [['ejected', 'healthy'], 0.1, 'an ejected one that a check brings back'],
  [['unhealthy', 'healthy', 'unhealthy'], 1, 'one that fell again: nothing to ramp'],
  [['ejected', 'returned', 'ejected'], 1, 'one that was ejected again'],
  [['unhealthy', 'healthy', 'healthy'], 0.1, 'one that is told of twice'],
  [['spilled', 'panic'], 1, 'events that are about something else'],
]
for (const [events, share, what] of histories) {
  test(`${what}: ${events.join(', ')} gives ${share}`, () => {
    const { state, hear } = slowStart()
    const [target, other] = testTargets(2) as unknown as [Target, Target]
    hear(target, ...events)
    assert.equal(state.share(target), share)
    assert.equal(state.share(other), 1)
  })
}

test('a target both ejected and unhealthy ramps from the last of both words', () => {
  for (const words of [
    ['returned', 'healthy'],
    ['healthy', 'returned'],
  ] as const) {
    const { clock, state, hear } = slowStart()
    const [target] = testTargets(1)
    hear(target, 'unhealthy', 'ejected')
    hear(target, words[0])
    clock.advance(8000)
    hear(target, words[1])
    clock.advance(3000)
    assert.equal(state.share(target), 0.3, words.join(', '))
  }
})

test('it says which events change a share, so that only those cost a snapshot', () => {
  const { hear } = slowStart()
  const [target] = testTargets(1)
  const said = hear(target, 'healthy', 'unhealthy', 'healthy', 'spilled', 'ejected', 'unhealthy')
  assert.deepEqual(said, [false, false, true, false, true, false])
})

test('a target is let go at the end of its window, and forgotten when it is removed', () => {
  const { clock, state, hear } = slowStart()
  const [first, second] = testTargets(2) as unknown as [Target, Target]
  state.begin(first)
  clock.advance(6000)
  state.begin(second)
  clock.advance(4000)
  state.retire()
  assert.deepEqual([...state.ramping.keys()], [second])
  assert.equal(state.share(first), 1)
  hear(second, 'unhealthy')
  state.forget(second)
  assert.equal(state.ramping.size, 0)
  assert.deepEqual(hear(second, 'healthy'), [false], 'what was held against it is forgotten too')
})
