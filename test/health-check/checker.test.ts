import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CheckResult } from '../../plugins/health-check/check-state.ts'
import { Checker, type Plan } from '../../plugins/health-check/checker.ts'
import type { Target } from '../../plugins/upstreams/contract.ts'
import { seededDice } from '../support/dice.ts'
import { testTargets } from '../support/test-targets.ts'
import { virtualTimers } from './virtual-timers.ts'

const PLAN: Plan = { interval: 2000, fastInterval: 500, downInterval: 4000, jitter: 0, rise: 2, fall: 3 }
const FAILED: CheckResult = { ok: false, why: 'status 500' }

/** A checker in virtual time whose checks take `lasts` ms and come to what `answers` says; all pass by default. */
function checkerOf({ lasts = 10 } = {}) {
  const timers = virtualTimers()
  const world = {
    timers,
    lasts,
    answers: new Map<Target, CheckResult>(),
    began: [] as { target: Target; at: number }[],
    underWay: new Map<Target, number>(),
    most: 0,
    stopped: [] as Target[],
    turned: [] as [number: number, status: string, why: string, at: number][],
    checker: undefined as unknown as Checker,
  }
  const { answers, began, underWay, stopped } = world
  world.checker = new Checker({
    context: { now: timers.now, random: seededDice(5) },
    after: timers.after,
    check(target, signal) {
      began.push({ target, at: timers.now() })
      underWay.set(target, (underWay.get(target) ?? 0) + 1)
      world.most = Math.max(world.most, underWay.get(target) as number)
      return new Promise((resolve) => {
        const end = (result: CheckResult): void => {
          underWay.set(target, (underWay.get(target) as number) - 1)
          resolve(result)
        }
        const cancel = timers.after(world.lasts, () => end(answers.get(target) ?? { ok: true }))
        signal.addEventListener('abort', () => {
          cancel()
          stopped.push(target)
          end({ ok: false, why: 'stopped' })
        })
      })
    },
    turned: (target, status, why) => world.turned.push([Number(target.id.at(-6)), status, why, timers.now()]),
  })
  const beginnings = (of: Target) => began.filter(({ target }) => target === of).map(({ at }) => at)
  return { ...world, world, beginnings }
}

test('nothing happens before the start, and the first checks are spread', async () => {
  const { checker, timers, began, turned } = checkerOf()
  const targets = testTargets(5)
  for (const target of targets) checker.watch(target, PLAN)
  await timers.advance(10_000)
  assert.equal(began.length, 0)
  assert.deepEqual(
    targets.map((target) => checker.status(target)),
    Array(5).fill('unchecked'),
  )
  checker.start()
  await timers.advance(250)
  assert.deepEqual(
    began.map(({ at }) => at - 10_000),
    [0, 50, 100, 150, 200],
  )
  assert.deepEqual(
    turned.map(([number, status, why]) => [number, status, why]),
    [1, 2, 3, 4, 5].map((number) => [number, 'healthy', '1 check passed']),
  )
})

test('a check that this machine could not make counts neither way, and is made again', async () => {
  const { checker, timers, answers, beginnings, turned } = checkerOf()
  const [target] = testTargets(1)
  checker.watch(target, PLAN)
  checker.start()
  await timers.advance(100)
  answers.set(target, { ok: false, why: 'connect EMFILE', ours: true })
  await timers.advance(20_000)
  assert.equal(checker.status(target), 'healthy')
  assert.deepEqual(
    turned.map(([, status]) => status),
    ['healthy'],
  )
  assert.ok(beginnings(target).length >= 10)
  const { passed, failed } = checker.watched.get(target) as { passed: number; failed: number }
  assert.deepEqual([passed, failed], [1, 0])
  answers.set(target, FAILED)
  await timers.advance(6000)
  assert.equal(checker.status(target), 'unhealthy')
})

test('each transition is told once; checks quicken while in transition and slow down while down', async () => {
  const { checker, timers, answers, beginnings, turned } = checkerOf()
  const [target] = testTargets(1)
  checker.watch(target, PLAN)
  checker.start()
  await timers.advance(1000)
  answers.set(target, FAILED)
  await timers.advance(8000)
  answers.delete(target)
  await timers.advance(5000)
  // Fails from 2000 on: 2000, 2500 and 3000 bring it down; 7000 is 4 s later; well at 11000 and 11500.
  assert.deepEqual(beginnings(target), [0, 2000, 2500, 3000, 7000, 11_000, 11_500, 13_500])
  assert.deepEqual(turned, [
    [1, 'healthy', '1 check passed', 10],
    [1, 'unhealthy', '3 checks failed: status 500', 3010],
    [1, 'healthy', '2 checks passed', 11_510],
  ])
})

test('a target that fails at the start is asked again soon, and not for ever', async () => {
  const { checker, timers, answers, beginnings, turned } = checkerOf()
  const [target] = testTargets(1)
  answers.set(target, FAILED)
  checker.watch(target, PLAN)
  checker.start()
  await timers.advance(9500)
  assert.deepEqual(beginnings(target), [0, 500, 1000, 5000, 9000])
  assert.deepEqual(turned, [[1, 'unhealthy', '1 check failed: status 500', 10]])
})

test('a check that takes longer than the interval is not doubled; the next one begins when it is over', async () => {
  const { checker, timers, world, beginnings } = checkerOf({ lasts: 2600 })
  const [target] = testTargets(1)
  checker.watch(target, PLAN)
  checker.start()
  await timers.advance(8000)
  assert.equal(world.most, 1)
  assert.deepEqual(beginnings(target), [0, 2600, 5200, 7800])
})

test('a target that is added is checked at once, one that is added twice is watched once', async () => {
  const { checker, timers, beginnings } = checkerOf()
  const [first, second] = testTargets(2) as unknown as [Target, Target]
  checker.watch(first, PLAN)
  checker.start()
  await timers.advance(1234)
  checker.watch(second, PLAN)
  checker.watch(second, PLAN)
  await timers.advance(2000)
  assert.deepEqual(beginnings(second), [1234, 3234])
})

test('a target that is removed is checked no more: the check under way is stopped and its result unheard', async () => {
  const { checker, timers, answers, beginnings, turned, stopped } = checkerOf()
  const [target] = testTargets(1)
  checker.watch(target, PLAN)
  checker.start()
  await timers.advance(2005)
  answers.set(target, FAILED)
  checker.forget(target)
  assert.deepEqual(stopped, [target])
  await timers.advance(60_000)
  assert.deepEqual(beginnings(target), [0, 2000])
  assert.equal(turned.length, 1)
  assert.equal(checker.status(target), undefined)
  assert.equal(timers.pending(), 0)
})

test('after a stop no timer is left and what was found stays known', async () => {
  const { checker, timers, began } = checkerOf()
  const targets = testTargets(20)
  for (const target of targets) checker.watch(target, PLAN)
  checker.start()
  await timers.advance(2115)
  const before = began.length
  checker.stop()
  assert.equal(timers.pending(), 0)
  await timers.advance(60_000)
  assert.equal(began.length, before)
  assert.equal(checker.status(targets[0]), 'healthy')
})

test('an hour of checks of a hundred targets: never in step, never too early or late', async () => {
  const { checker, timers, world, began, beginnings } = checkerOf()
  const targets = testTargets(100)
  for (const target of targets) checker.watch(target, { ...PLAN, interval: 60_000, jitter: 0.1 })
  checker.start()
  await timers.advance(3_600_000)
  for (const target of targets) {
    const times = beginnings(target)
    for (const [i, at] of times.entries()) {
      const pause = at - (times[i - 1] ?? at - 60_000)
      assert.ok(pause >= 54_000 && pause < 66_000, `${pause}`)
    }
  }
  assert.equal(world.most, 1)
  // At first within 250 ms of each other; by the end of the hour anywhere in the minute.
  const last = began.filter(({ at }) => at > 3_480_000 && at <= 3_540_000).map(({ at }) => at)
  const quarters = [0, 0, 0, 0]
  for (const at of last) quarters[Math.floor((at - 3_480_001) / 15_000)]!++
  assert.ok(Math.min(...quarters) > 5, `${quarters}`)
})
