import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { retryBudget } from '../../plugins/failover/retry-budget.ts'

function clock() {
  let time = 5000
  return {
    now: () => time,
    advance: (ms: number) => {
      time += ms
    },
  }
}

test('a quiet upstream may be retried ten times a second, over ten seconds', () => {
  const { now } = clock()
  const budget = retryBudget({ ratio: 0.2, minPerSecond: 10 }, now)
  for (let i = 0; i < 100; i++) assert.equal(budget.withdraw(), true, `retry ${i + 1}`)
  assert.equal(budget.withdraw(), false)
})

test('each request pays for a fifth of a retry', () => {
  const { now } = clock()
  const budget = retryBudget({ ratio: 0.2, minPerSecond: 0 }, now)
  for (let i = 0; i < 9; i++) budget.deposit()
  assert.equal(budget.withdraw(), true)
  assert.equal(budget.withdraw(), false, '9 requests pay for one retry and no more')
  budget.deposit()
  assert.equal(budget.withdraw(), true)
})

test('requests and retries are forgotten after ten seconds', () => {
  const { now, advance } = clock()
  const budget = retryBudget({ ratio: 1, minPerSecond: 0 }, now)
  budget.deposit()
  advance(9000)
  assert.equal(budget.withdraw(), true)
  assert.equal(budget.withdraw(), false)
  advance(1000)
  budget.deposit()
  assert.equal(budget.withdraw(), false, 'the retry is remembered longer than the request that paid for it')
  advance(9000)
  assert.equal(budget.withdraw(), true)
})

test('retries never exceed the ratio plus the floor, whatever the order of events', () => {
  const event = fc.oneof(
    { weight: 5, arbitrary: fc.constant('deposit' as const) },
    { weight: 5, arbitrary: fc.constant('withdraw' as const) },
    fc.integer({ min: 1, max: 3000 }),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 300 }), (events) => {
      const { now, advance } = clock()
      const budget = retryBudget({ ratio: 0.5, minPerSecond: 1 }, now)
      const requests: number[] = []
      const retries: number[] = []
      for (const one of events) {
        if (typeof one === 'number') advance(one)
        else if (one === 'deposit') {
          budget.deposit()
          requests.push(now())
        } else if (budget.withdraw()) {
          retries.push(now())
          // The window is whole seconds: nine full ones and the one under way.
          const since = (Math.floor(now() / 1000) - 9) * 1000
          const recent = (times: number[]) => times.filter((time) => time >= since).length
          assert.ok(recent(retries) <= 0.5 * recent(requests) + 10)
        }
      }
    }),
    { seed: 7, numRuns: 300 },
  )
})

test('what is left of it, and how often there was nothing left, is shown', () => {
  const { now, advance } = clock()
  const budget = retryBudget({ ratio: 0.5, minPerSecond: 0.1 }, now)
  assert.equal(budget.left(), 1)
  for (let i = 0; i < 3; i++) budget.deposit()
  assert.equal(budget.left(), 2, 'half a retry is none')
  assert.deepEqual([budget.withdraw(), budget.withdraw(), budget.withdraw()], [true, true, false])
  assert.equal(budget.left(), 0)
  assert.equal(budget.refusals, 1)
  advance(20_000)
  assert.equal(budget.left(), 1)
  assert.equal(budget.refusals, 1)
})
