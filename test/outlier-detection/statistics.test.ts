import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  failurePercentageOutliers,
  latencyOutliers,
  medianOfOthers,
  successRateOutliers,
} from '../../plugins/outlier-detection/statistics.ts'

const RATE = { factor: 1.9, minDifference: 0.05, minTargets: 5, minRequests: 100 }
const PERCENTAGE = { threshold: 0.85, minTargets: 2, minRequests: 50 }
const LATENCY = { factor: 3, minDifference: 50, minTargets: 3, minRequests: 20 }

/** `[successes, failures]` each. */
const tallies = (...pairs: readonly (readonly [number, number])[]) =>
  pairs.map(([successes, failures], index) => ({ index, successes, failures }))
const indices = (outliers: readonly { one: { index: number } }[]): number[] =>
  outliers.map(({ one }) => one.index)
const medians = (...list: readonly number[]) =>
  list.map((median, index) => ({ index, latencies: { count: 100, quantile: () => median } }))

describe('success rate', () => {
  const FINE = [100, 0] as const

  it("singles out what is below mean - 1.9 sigma: Envoy's", () => {
    // mean 0.84, sigma 0.32: below 0.232
    assert.deepEqual(indices(successRateOutliers(tallies(FINE, FINE, [20, 80], FINE, FINE), RATE)), [2])
    // Two alike: mean 0.68, sigma 0.392, so nothing is below.
    assert.deepEqual(indices(successRateOutliers(tallies(FINE, [20, 80], [20, 80], FINE, FINE), RATE)), [])
  })

  it('needs enough targets with enough requests', () => {
    assert.deepEqual(successRateOutliers(tallies(FINE, FINE, [20, 80], FINE), RATE), [])
    assert.deepEqual(successRateOutliers(tallies(FINE, FINE, [20, 80], FINE, [99, 0]), RATE), [])
    assert.deepEqual(successRateOutliers(tallies(FINE, FINE, [19, 80], FINE, FINE), RATE), [])
  })

  it('lets one failure in a thousand pass where all others are perfect', () => {
    const nearly = tallies([1000, 0], [1000, 0], [999, 1], [1000, 0], [1000, 0])
    assert.deepEqual(successRateOutliers(nearly, RATE), [])
    assert.deepEqual(indices(successRateOutliers(nearly, { ...RATE, minDifference: 0 })), [2])
  })

  it('finds nobody where all are alike, rounding or not', () => {
    const alike = fc.tuple(fc.nat(500), fc.integer({ min: 100, max: 500 }), fc.integer({ min: 5, max: 40 }))
    fc.assert(
      fc.property(alike, ([failures, successes, count]) => {
        const all = Array.from({ length: count }, (_, index) => ({ index, successes, failures }))
        assert.deepEqual(successRateOutliers(all, { ...RATE, minDifference: 0, factor: 0.5 }), [])
      }),
      { seed: 3, numRuns: 300 },
    )
  })

  it('returns the worst one first', () => {
    const many = tallies(...Array.from({ length: 30 }, () => FINE), [50, 50], [10, 90])
    assert.deepEqual(indices(successRateOutliers(many, RATE)), [31, 30])
  })
})

describe('failure percentage', () => {
  it('singles out what is at the threshold or above, the worst one first', () => {
    const all = tallies([15, 85], [0, 100], [16, 84], [100, 0])
    assert.deepEqual(indices(failurePercentageOutliers(all, PERCENTAGE)), [1, 0])
  })

  it('needs enough targets with enough requests', () => {
    assert.deepEqual(failurePercentageOutliers(tallies([0, 50], [49, 0]), PERCENTAGE), [])
    assert.deepEqual(indices(failurePercentageOutliers(tallies([0, 50], [50, 0]), PERCENTAGE)), [0])
    assert.deepEqual(failurePercentageOutliers(tallies([0, 49], [50, 0], [50, 0]), PERCENTAGE), [])
  })
})

describe('latency', () => {
  it('singles out what is above three times the others and 50 ms more', () => {
    assert.deepEqual(indices(latencyOutliers(medians(4, 812, 5), LATENCY)), [1])
    assert.deepEqual(indices(latencyOutliers(medians(4, 50, 5), LATENCY)), [], 'less than 50 ms more')
    assert.deepEqual(indices(latencyOutliers(medians(100, 280, 100), LATENCY)), [], 'less than three times')
    assert.deepEqual(indices(latencyOutliers(medians(100, 301, 100), LATENCY)), [1])
  })

  it('needs enough targets with enough samples', () => {
    assert.deepEqual(latencyOutliers(medians(4, 812), LATENCY), [])
    const [a, b, c] = medians(4, 812, 5)
    const thin = { index: 2, latencies: { count: 19, quantile: () => 5 } }
    assert.deepEqual(latencyOutliers([a!, b!, thin], LATENCY), [])
    assert.deepEqual(indices(latencyOutliers([a!, b!, c!], LATENCY)), [1])
  })

  it('compares with the others only: half of the targets being slow hides nobody, all being slow is nobody', () => {
    assert.deepEqual(latencyOutliers(medians(900, 900, 900), LATENCY), [])
    assert.deepEqual(indices(latencyOutliers(medians(4, 4, 900, 4, 800), LATENCY)), [2, 4])
  })

  it('has the median of the others right, whatever their number', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 2, maxLength: 12 }), fc.nat(11), (list, pick) => {
        const sorted = list.toSorted((a, b) => a - b)
        const index = pick % sorted.length
        const others = sorted.toSpliced(index, 1)
        const half = others.length / 2
        const expected =
          others.length % 2 === 1 ? others[Math.floor(half)] : (others[half - 1]! + others[half]!) / 2
        assert.equal(medianOfOthers(sorted, index), expected)
      }),
      { seed: 9, numRuns: 300 },
    )
  })
})
