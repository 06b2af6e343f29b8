import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LatencyHistogram } from '../../plugins/outlier-detection/histogram.ts'

test('quantiles are those of the sorted samples to 4.5 %', () => {
  const samples = fc.array(fc.double({ min: 0.07, max: 900_000, noNaN: true }), {
    minLength: 1,
    maxLength: 200,
  })
  fc.assert(
    fc.property(samples, fc.double({ min: 0.001, max: 1, noNaN: true }), (list, q) => {
      const histogram = new LatencyHistogram()
      for (const ms of list) histogram.record(ms)
      assert.equal(histogram.count, list.length)
      const exact = list.toSorted((a, b) => a - b)[Math.ceil(q * list.length) - 1] as number
      assert.ok(
        Math.abs(histogram.quantile(q) / exact - 1) < 0.045,
        `${histogram.quantile(q)} is not ${exact}`,
      )
    }),
    { seed: 5, numRuns: 300 },
  )
})

test('what is outside its range ends up at its ends, and no number breaks it', () => {
  const histogram = new LatencyHistogram()
  for (const ms of [0, -5, Number.NaN, 1e-9]) histogram.record(ms)
  assert.ok(histogram.quantile(1) < 0.07)
  for (const ms of [1e9, Number.POSITIVE_INFINITY, 1e12, 1e8, 1e7]) histogram.record(ms)
  assert.ok(histogram.quantile(0.9) > 1_000_000)
  assert.equal(histogram.count, 9)
})

test('a reset forgets all; without samples there is no quantile', () => {
  const histogram = new LatencyHistogram()
  assert.ok(Number.isNaN(histogram.quantile(0.5)))
  histogram.record(800)
  histogram.reset()
  assert.equal(histogram.count, 0)
  assert.ok(Number.isNaN(histogram.quantile(0.5)))
  histogram.record(2)
  assert.ok(histogram.quantile(1) < 3, 'what was before the reset is still counted')
})
