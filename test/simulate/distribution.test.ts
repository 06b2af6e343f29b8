/** What is drawn has the distribution that was asked for: tolerances are four standard errors of the sample. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nextArrival } from '../../simulate/arrivals.ts'
import { dice } from '../../simulate/dice.ts'
import { type Distribution, meanOf, sampler, zipf } from '../../simulate/distribution.ts'
import { quantile } from '../../simulate/figures.ts'
import type { Arrivals } from '../../simulate/fleet.ts'
import { assertDistributed, assertShare } from '../support/statistics.ts'

const N = 200_000

function draw(distribution: Distribution, seed: number): Float64Array {
  const next = sampler(distribution, dice(seed, 1))
  return Float64Array.from({ length: N }, next)
}

const CASES: readonly [Distribution, deviation: number, median: number][] = [
  [{ kind: 'exponential', meanMs: 50 }, 50, 50 * Math.LN2],
  [{ kind: 'lognormal', meanMs: 50, sigma: 0.8 }, 50 * Math.sqrt(Math.exp(0.64) - 1), 50 * Math.exp(-0.32)],
  // Mean 50, alpha 4: least 37.5, variance least^2 alpha / ((alpha - 1)^2 (alpha - 2)).
  [{ kind: 'pareto', meanMs: 50, alpha: 4 }, 37.5 * Math.sqrt(4 / (9 * 2)), 37.5 * 2 ** (1 / 4)],
]

describe('service times', () => {
  for (const [seed, [distribution, deviation, median]] of CASES.entries()) {
    it(`${distribution.kind}: the mean and the median are as they should be`, () => {
      const values = draw(distribution, seed + 1)
      const mean = values.reduce((a, b) => a + b) / N
      assert.ok(Math.abs(mean - meanOf(distribution)) < (4 * deviation) / Math.sqrt(N), `mean ${mean}`)
      assertShare(values.filter((value) => value < median).length, N, 0.5)
    })
  }

  it('bimodal: the share of the long ones is as it should be', () => {
    const distribution = { kind: 'bimodal', shortMs: 20, longMs: 1000, longShare: 0.02 } as const
    const values = draw(distribution, 5)
    assertShare(values.filter((value) => value === 1000).length, N, 0.02)
    assert.equal(values.filter((value) => value === 20 || value === 1000).length, N)
    assert.equal(meanOf(distribution), 39.6)
  })

  it('pareto: the tail falls by the power', () => {
    const values = draw({ kind: 'pareto', meanMs: 50, alpha: 2 }, 6)
    for (const times of [2, 4, 8]) {
      assertShare(values.filter((value) => value > 25 * times).length, N, times ** -2)
    }
  })
})

it('keys follow the law of Zipf', () => {
  const next = zipf(5, 1, dice(7, 1))
  const seen = [0, 0, 0, 0, 0]
  for (let i = 0; i < N; i++) seen[next()]!++
  const sum = 1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5
  assertDistributed(
    seen,
    [1, 2, 3, 4, 5].map((k) => N / k / sum),
  )
})

it('dice of one seed and different purposes have nothing in common', () => {
  const cells = new Array<number>(100).fill(0)
  const one = dice(1, 1)
  const other = dice(1, 2)
  for (let i = 0; i < N; i++) cells[Math.floor(one() * 10) * 10 + Math.floor(other() * 10)]!++
  assertDistributed(cells, new Array(100).fill(N / 100))
})

describe('arrivals', () => {
  const run = (shape: Arrivals['shape'], seed: number): number[] => {
    const next = nextArrival(shape === undefined ? { load: 1 } : { load: 1, shape }, 2, dice(seed, 1))
    const times: number[] = []
    for (let now = next(0); now < 50_000; now = next(now)) times.push(now)
    return times
  }
  const isPoisson = (count: number, mean: number): void =>
    assert.ok(Math.abs(count - mean) < 4 * Math.sqrt(mean), `${count} came, not ${mean}`)

  it('keep their mean rate, whatever the shape', () => {
    for (const [seed, shape] of [
      undefined,
      { kind: 'bursts', factor: 4, everyMs: 2000, forMs: 200 } as const,
      { kind: 'sine', amplitude: 0.8, periodMs: 1000 } as const,
    ].entries()) {
      isPoisson(run(shape, seed).length, 100_000)
    }
  })

  it('are Poisson: gaps are exponential', () => {
    const times = run(undefined, 4)
    const gaps = Float64Array.from(times, (time, i) => time - (times[i - 1] ?? 0)).sort()
    for (const q of [0.1, 0.5, 0.9, 0.99]) {
      const expected = -0.5 * Math.log(1 - q)
      const margin = (4 * Math.sqrt((q * (1 - q)) / gaps.length)) / (2 * (1 - q))
      assert.ok(Math.abs(quantile(gaps, q) - expected) < margin, `quantile ${q}`)
    }
  })

  it('come four times as densely in a burst of four', () => {
    const times = run({ kind: 'bursts', factor: 4, everyMs: 2000, forMs: 200 }, 5)
    const within = times.filter((time) => time % 2000 < 200).length
    // Of 4 x 200 + 1 x 1800.
    assertShare(within, times.length, 800 / 2600)
  })

  it('rise and fall with the sine', () => {
    const times = run({ kind: 'sine', amplitude: 0.8, periodMs: 1000 }, 6)
    const rising = times.filter((time) => time % 1000 < 500).length
    assertShare(rising, times.length, 0.5 + 0.8 / Math.PI)
  })
})
