/** The three formulas that the project is asked for by name. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { random } from '../../plugins/load-balancing/choose/random.ts'
import { roundRobin } from '../../plugins/load-balancing/choose/round-robin.ts'
import { weighted } from '../../plugins/load-balancing/choose/weighted.ts'
import type { Balancer, Candidates } from '../../plugins/upstreams/contract.ts'
import { loadedDice, seededDice } from '../support/dice.ts'
import { assertDistributed } from '../support/statistics.ts'
import { testRequest, testTarget, testTargets } from '../support/test-targets.ts'

const N = 50_000
const context = (dice: () => number) => ({ now: () => 0, random: dice })

function picks(balancer: Balancer, candidates: Candidates, n: number): number[] {
  balancer.onTargets?.(candidates)
  return Array.from({ length: n }, () => candidates.indexOf(balancer.pick(candidates, testRequest())))
}

function counts(values: readonly number[], of: number): number[] {
  const result = new Array<number>(of).fill(0)
  for (const value of values) result[value]!++
  return result
}

function weights(...list: readonly number[]): Candidates {
  return list.map((weight, i) => testTarget(i + 1, { weight })) as unknown as Candidates
}

describe('round robin: S(n+1) = (S(n) + 1) mod N', () => {
  for (const n of [1, 2, 3, 5, 10]) {
    it(`holds for every step with N = ${n}, from the first target on`, () => {
      const series = picks(roundRobin(context(() => 0)), testTargets(n), 5 * n + 3)
      assert.equal(series[0], 0)
      for (let i = 1; i < series.length; i++) assert.equal(series[i], ((series[i - 1] as number) + 1) % n)
    })
  }

  it('gateways that start together do not march in step: each starts at a random target', () => {
    const starts = counts(
      Array.from({ length: 4000 }, (_, seed) => {
        const series = picks(roundRobin(context(seededDice(seed))), testTargets(8), 9)
        for (let i = 1; i < 9; i++) assert.equal(series[i], ((series[i - 1] as number) + 1) % 8)
        return series[0] as number
      }),
      8,
    )
    assertDistributed(starts, new Array(8).fill(500))
  })

  it('goes on from where it was when targets come and go', () => {
    const balancer = roundRobin(context(() => 0))
    const five = testTargets(5)
    const three = five.slice(0, 3) as unknown as Candidates
    assert.deepEqual(picks(balancer, five, 4), [0, 1, 2, 3])
    assert.deepEqual(picks(balancer, three, 4), [1, 2, 0, 1], '(3 + 1) mod 3, and on from there')
    assert.deepEqual(picks(balancer, five, 6), [2, 3, 4, 0, 1, 2])
  })
})

describe('random: S(n+1) = (S(n) + R) mod N', () => {
  it('takes the step that the dice show, from the last one', () => {
    const balancer = random(context(loadedDice(0, 0.25, 0.5, 0.75, 0.999, 0)))
    assert.deepEqual(picks(balancer, testTargets(4), 6), [0, 1, 3, 2, 1, 1])
  })

  for (const [n, seed] of [
    [2, 11],
    [3, 12],
    [7, 13],
    [10, 14],
  ] as const) {
    it(`is uniform over ${n} targets, and each step independent of the last`, () => {
      const series = picks(random(context(seededDice(seed))), testTargets(n), N)
      assertDistributed(counts(series, n), new Array(n).fill(N / n))
      const pairs = series.slice(1).map((value, i) => (series[i] as number) * n + value)
      assertDistributed(counts(pairs, n * n), new Array(n * n).fill(pairs.length / n ** 2))
      const every = series.slice(3).map((value, i) => (series[i] as number) * n + value)
      assertDistributed(counts(every, n * n), new Array(n * n).fill(every.length / n ** 2))
    })
  }

  it('stays uniform when targets go', () => {
    const balancer = random(context(seededDice(15)))
    picks(balancer, testTargets(9), 100)
    assertDistributed(counts(picks(balancer, testTargets(4), N), 4), new Array(4).fill(N / 4))
  })
})

describe('weighted: P(i) = W(i) / sum of W', () => {
  for (const [seed, list] of [
    [5, 3, 1],
    [1, 1],
    [1, 2, 3, 4, 5, 6, 7],
    [0.5, 0.25, 0.25],
    [1000, 1],
    [7, 0, 2, 0, 1],
  ].entries()) {
    it(`holds for ${list.join(' : ')}`, () => {
      const series = picks(weighted(context(seededDice(seed + 20))), weights(...list), N)
      const sum = list.reduce((a, b) => a + b)
      const seen = counts(series, list.length)
      const used = list.map((weight, i) => [seen[i] as number, (N * weight) / sum] as const)
      for (const [times, expected] of used) if (expected === 0) assert.equal(times, 0)
      const positive = used.filter(([, expected]) => expected > 0)
      assertDistributed(
        positive.map(([times]) => times),
        positive.map(([, expected]) => expected),
      )
    })
  }

  it('is exact, by enumeration: with small whole weights each grid of dice falls as the weights say', () => {
    const lists = [
      [1],
      [1, 1],
      [2, 1],
      [5, 3, 1],
      [1, 2, 3, 4],
      [0, 1],
      [3, 0, 1],
      [4, 4, 1, 0, 1],
      [9, 1],
      [6, 5, 4, 3, 2, 1],
    ]
    for (const list of lists) {
      const n = list.length
      const sum = list.reduce((a, b) => a + b)
      const candidates = weights(...list)
      // A column's threshold is a multiple of 1 / sum: so dice at the middles of `sum` stretches miss none.
      const seen = new Array<number>(n).fill(0)
      for (let column = 0; column < n; column++) {
        for (let level = 0; level < sum; level++) {
          const dice = loadedDice((column + 0.5) / n, (level + 0.5) / sum)
          const [pick] = picks(weighted(context(dice)), candidates, 1)
          seen[pick as number]!++
        }
      }
      assert.deepEqual(
        seen,
        list.map((weight) => weight * n),
        `weights ${list.join(' : ')}`,
      )
    }
  })

  it('never picks a weight of 0, at the very ends of the dice either', () => {
    const lists = [
      [0, 1],
      [1, 0],
      [0, 0, 0.1, 0.2, 0.7],
      [1e6, 0, 1e-9],
      [0.1, 0.2, 0.3, 0],
    ]
    const ends = [0, Number.MIN_VALUE, 0.5, 1 - 2 ** -53]
    for (const list of lists) {
      for (let column = 0; column < list.length; column++) {
        for (const level of ends) {
          const dice = loadedDice((column + 0.5) / list.length, level)
          const [pick] = picks(weighted(context(dice)), weights(...list), 1)
          assert.ok((list[pick as number] as number) > 0, `${list} at column ${column}, dice ${level}`)
        }
      }
    }
  })

  it('counts all alike where all weights are 0', () => {
    const series = picks(weighted(context(seededDice(30))), weights(0, 0, 0), N)
    assertDistributed(counts(series, 3), new Array(3).fill(N / 3))
  })

  it('follows a weight that changes', () => {
    const balancer = weighted(context(seededDice(31)))
    assertDistributed(counts(picks(balancer, weights(1, 1), N), 2), [N / 2, N / 2])
    assertDistributed(counts(picks(balancer, weights(1, 4), N), 2), [N / 5, (4 * N) / 5])
  })
})
