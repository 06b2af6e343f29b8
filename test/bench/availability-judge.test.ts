import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, quantile, quantiles } from '../../bench/availability/judge.ts'
import type { Sample } from '../../bench/availability/load.ts'

const faultEnd = 10_000
const slowAbove = 30

function sample(given: Partial<Sample> & { id: string }): Sample {
  return { kind: 'small', at: 0, ms: 1, late: 0, failure: undefined, ...given }
}

function judged(samples: Sample[], executions: [string, number][] = []) {
  return judge({ samples, faultEnd, executions: new Map(executions), slowAbove })
}

test('quantiles are by nearest rank', () => {
  const thousand = Array.from({ length: 1000 }, (_, i) => i + 1)
  assert.equal(quantile(thousand, 0.5), 500)
  assert.equal(quantile(thousand, 0.99), 990)
  assert.equal(quantile(thousand, 0.999), 999)
  assert.equal(quantile(thousand, 1), 1000)
  assert.equal(quantile([5], 0.999), 5)
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2)
  assert.ok(Number.isNaN(quantile([], 0.5)))
})

test('quantiles are of answered requests, in whichever order they came', () => {
  const samples = [9, 1, 5].map((ms) => sample({ id: `${ms}`, ms }))
  samples.push(sample({ id: 'x', ms: 5000, failure: 'time-out' }))
  assert.deepEqual(quantiles(samples), { p50: 5, p99: 9, p999: 9 })
})

test('failures are counted by method and by reason; the longest wait is of all requests', () => {
  const figures = judged([
    sample({ id: '1', failure: '502' }),
    sample({ id: '2', kind: 'chunked', failure: 'body cut' }),
    sample({ id: '3', kind: 'orders', failure: '502', ms: 700 }),
    sample({ id: '4', ms: 12, late: 4 }),
  ])
  assert.equal(figures.requests, 4)
  assert.equal(figures.failedGets, 2)
  assert.equal(figures.failedPosts, 1)
  assert.deepEqual(figures.reasons, { '502': 2, 'body cut': 1 })
  assert.equal(figures.longest, 700)
  assert.equal(figures.p999, 12)
  assert.equal(figures.late, 4)
})

test('a POST executed twice counts whether it failed or not, and only if it is of this window', () => {
  const figures = judged(
    [
      sample({ id: 'once', kind: 'orders' }),
      sample({ id: 'twice', kind: 'orders' }),
      sample({ id: 'thrice', kind: 'orders', failure: '504' }),
      sample({ id: 'never', kind: 'orders', failure: '502' }),
    ],
    [
      ['once', 1],
      ['twice', 2],
      ['thrice', 3],
      ['of another window', 2],
    ],
  )
  assert.equal(figures.twice, 2)
  assert.equal(figures.lost, 0)
})

test('a POST that was answered well but never executed is lost', () => {
  assert.equal(judged([sample({ id: 'gone', kind: 'orders' })]).lost, 1)
})

test('calm begins after the last request that failed or was slow', () => {
  const calm = (samples: Partial<Sample>[]) =>
    judged(samples.map((given, i) => sample({ id: String(i), ...given }))).calmAfter
  assert.equal(calm([{ at: 9000, failure: '502' }, { at: 11_000 }]), 0)
  assert.equal(calm([{ at: 10_400, ms: 31 }, { at: 10_900, ms: 30 }, { at: 11_000 }]), 400)
  assert.equal(
    calm([
      { at: 10_400, ms: 31 },
      { at: 10_700, failure: '502' },
    ]),
    700,
  )
  assert.equal(calm([]), 0)
})
