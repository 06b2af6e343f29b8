/**
 * The simulator against queueing theory. A tolerance is four standard errors, from the size of the sample; larger
 * samples: `npm run simulate -- --theory`.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dice } from '../../simulate/dice.ts'
import {
  largestBin,
  manyServers,
  noBinAbove,
  oneGeneralServer,
  oneServer,
  supermarket,
} from '../../simulate/theory.ts'
import {
  type Check,
  checkGeneral,
  checkRandom,
  checkServers,
  checkTwoChoices,
  largestLoad,
  rangeAtRandom,
} from '../../simulate/theory-check.ts'

function assertHolds({ name, expected, simulated, tolerance, holds }: Check, atMost: number): void {
  assert.ok(holds, `${name}: ${simulated}, not ${expected} give or take ${tolerance}`)
  // A tolerance within which anything holds would prove nothing.
  assert.ok(tolerance <= atMost * expected, `${name}: a tolerance of ${tolerance} on ${expected}`)
}

describe('the formulas', () => {
  it('the supermarket model at a load of 0.9, 0.95, 0.99', () => {
    assert.deepEqual(
      [0.9, 0.95, 0.99].map((load) => Math.round(supermarket(1, load))),
      [10, 20, 100],
    )
    assert.deepEqual(
      [0.9, 0.95, 0.99].map((load) => Number(supermarket(2, load).toFixed(3))),
      [2.614, 3.383, 5.432],
    )
  })

  it('Erlang C, from a table: 2 servers at 0.8 wait 1.778, and one is M/M/1', () => {
    assert.equal(Number((manyServers(2, 0.8) - 1).toFixed(3)), 1.778)
    assert.ok(Math.abs(manyServers(1, 0.9) - oneServer(0.9)) < 1e-9)
  })

  it('Pollaczek and Khinchine: constant service halves the wait', () => {
    assert.ok(Math.abs(oneGeneralServer(0.8, 1) - oneServer(0.8)) < 1e-9)
    assert.ok(Math.abs(oneGeneralServer(0.8, 0) - 3) < 1e-9)
  })

  it('the largest of n bins, thrown', () => {
    const n = 1000
    const random = dice(1, 1)
    const largest = Array.from({ length: 2000 }, () => {
      const bins = new Uint8Array(n)
      for (let i = 0; i < n; i++) bins[Math.floor(random() * n)]!++
      return Math.max(...bins)
    })
    for (const most of [4, 5, 6]) {
      const seen = largest.filter((one) => one <= most).length / 2000
      // The formula is for large n: at a thousand it is within a few percent.
      assert.ok(Math.abs(seen - noBinAbove(most, n)) < 0.05, `at most ${most}: ${seen}`)
    }
  })
})

describe('a single target', () => {
  it('M/M/1', () => assertHolds(checkServers(1, 0.8, 400_000, 1), 0.08))
  it('M/M/4: Erlang C', () => assertHolds(checkServers(4, 0.85, 400_000, 2), 0.06))
  it('M/M/16: Erlang C', () => assertHolds(checkServers(16, 0.9, 400_000, 3), 0.05))
  it('M/D/1: Pollaczek and Khinchine', () => {
    assertHolds(checkGeneral({ kind: 'constant', meanMs: 1 }, 0, 'fifo', 0.8, 300_000, 4), 0.05)
  })

  // Mean 1, variance 0.9 x 0.25 + 0.1 x 20.25 = 2.25.
  const twoKinds = { kind: 'bimodal', shortMs: 0.5, longMs: 5.5, longShare: 0.1 } as const
  it('M/G/1 in line: Pollaczek and Khinchine', () => {
    assertHolds(checkGeneral(twoKinds, 2.25, 'fifo', 0.7, 400_000, 5), 0.08)
  })
  it('M/G/1 shared: as M/M/1, whatever the distribution', () => {
    assertHolds(checkGeneral(twoKinds, 2.25, 'sharing', 0.7, 400_000, 6), 0.08)
  })
})

describe('many targets', () => {
  it('random at a load of 0.9 takes 10', () => assertHolds(checkRandom(0.9, 600_000, 1), 0.15))
  it('two choices at 0.9 take 2.614', () => assertHolds(checkTwoChoices(0.9, 600_000, 1), 0.04))
  it('two choices at 0.95 take 3.383', () => assertHolds(checkTwoChoices(0.95, 800_000, 1), 0.06))
})

describe('balls into bins, n = 30,000', () => {
  const n = 30_000

  it('at random the fullest has ln n / ln ln n, give or take what chance gives', () => {
    const [least, most] = rangeAtRandom(n)
    const largest = [1, 2, 3].map((seed) => largestLoad('uniform', n, seed))
    for (const one of largest) assert.ok(one >= least && one <= most, `${one}, not ${least} to ${most}`)
  })

  it('with two choices it has ln ln n / ln 2 + O(1), which is 3.4 + O(1)', () => {
    const largest = [1, 2, 3].map((seed) => largestLoad('two-choices', n, seed))
    for (const one of largest) assert.ok(Math.abs(one - largestBin(2, n)) < 1, `${one}`)
  })
})
