import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { tierShares } from '../../plugins/upstreams/tiers.ts'

describe("Envoy's table of priority levels", () => {
  // envoyproxy.io, "Load balancing: priority levels", overprovisioning factor 1.4: percent healthy, percent of traffic.
  const TABLE: readonly (readonly [healthy: readonly number[], traffic: readonly number[]])[] = [
    [
      [100, 100],
      [100, 0],
    ],
    [
      [72, 100],
      [100, 0],
    ],
    [
      [71, 100],
      [99, 1],
    ],
    [
      [50, 100],
      [70, 30],
    ],
    [
      [25, 100],
      [35, 65],
    ],
    [
      [0, 100],
      [0, 100],
    ],
    [
      [72, 72],
      [100, 0],
    ],
    [
      [71, 71],
      [99, 1],
    ],
    [
      [50, 50],
      [70, 30],
    ],
    [
      [25, 25],
      [50, 50],
    ],
    [
      [100, 100, 100],
      [100, 0, 0],
    ],
    [
      [72, 72, 100],
      [100, 0, 0],
    ],
    [
      [71, 71, 100],
      [99, 1, 0],
    ],
    [
      [50, 50, 100],
      [70, 30, 0],
    ],
    [
      [25, 100, 100],
      [35, 65, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
    [
      [25, 25, 20],
      [36, 36, 28],
    ],
  ]
  for (const [healthy, traffic] of TABLE) {
    it(`${healthy.join(' %, ')} % healthy carry ${traffic.join(' %, ')} %`, () => {
      const shares = tierShares(healthy.map((eligible) => ({ eligible, total: 100 })))
      assert.equal(shares.length, traffic.length)
      for (const [i, share] of shares.entries()) {
        // The table holds whole percents, with what rounding leaves over given to the last: so within one.
        assert.ok(Math.abs(share * 100 - (traffic[i] as number)) < 1, `tier ${i} carries ${share}`)
      }
    })
  }
})

describe('shares of tiers', () => {
  const tier = fc
    .tuple(fc.nat(30), fc.nat(30))
    .map(([a, b]) => ({ eligible: Math.min(a, b), total: Math.max(a, b) }))
  const tiers = fc.array(tier, { maxLength: 10 })

  it('sum to 1 as long as one target is left', () => {
    fc.assert(
      fc.property(tiers, (list) => {
        const sum = tierShares(list).reduce((total, share) => total + share, 0)
        const left = list.some(({ eligible }) => eligible > 0)
        assert.ok(Math.abs(sum - (left ? 1 : 0)) < 1e-9, `the sum is ${sum}`)
      }),
      { seed: 1 },
    )
  })

  it('are never negative, and nothing goes to a tier without a target', () => {
    fc.assert(
      fc.property(tiers, (list) => {
        for (const [i, share] of tierShares(list).entries()) {
          assert.ok(share >= 0 && share <= 1)
          if (list[i]?.eligible === 0) assert.equal(share, 0)
        }
      }),
      { seed: 2 },
    )
  })

  it('move down only: a target that gets well never takes traffic off the tiers before its own', () => {
    fc.assert(
      fc.property(tiers, fc.nat(9), (list, index) => {
        const sick = list[index]
        if (sick === undefined || sick.eligible === sick.total) return
        const before = tierShares(list)
        const after = tierShares(list.with(index, { ...sick, eligible: sick.eligible + 1 }))
        assert.ok((after[index] as number) >= (before[index] as number) - 1e-9, 'its own tier gets more')
        const upTo = (shares: number[], end: number) => shares.slice(0, end).reduce((a, b) => a + b, 0)
        for (let end = index + 1; end <= list.length; end++) {
          assert.ok(upTo(after, end) >= upTo(before, end) - 1e-9, `tiers 0 to ${end - 1} carry less`)
        }
      }),
      { seed: 3 },
    )
  })

  it('leave out a tier that has no targets at all', () => {
    assert.deepEqual(
      tierShares([
        { eligible: 0, total: 0 },
        { eligible: 1, total: 1 },
      ]),
      [0, 1],
    )
    assert.deepEqual(tierShares([]), [])
  })
})
