import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { roundRobin } from '../../plugins/load-balancing/choose/round-robin.ts'
import { subsetOf, withSubset } from '../../plugins/load-balancing/subset/subset.ts'
import type { Candidates, Target } from '../../plugins/upstreams/contract.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { buildGateway } from '../support/gateway.ts'
import { assertShare } from '../support/statistics.ts'
import { testRequest, testTargets } from '../support/test-targets.ts'

balancerContract('a subset over round-robin', () =>
  withSubset(roundRobin(), { size: 4, instance: 2 }, () => testTargets(4)),
)

/** How many of the gateways use each target. */
function usedBy(targets: readonly Target[], size: number, gateways: readonly (number | string)[]): number[] {
  const counts = new Map<Target, number>(targets.map((target) => [target, 0]))
  for (const instance of gateways) {
    for (const target of subsetOf(targets, { size, instance }, targets.length))
      counts.set(target, (counts.get(target) ?? 0) + 1)
  }
  return [...counts.values()]
}

const numbered = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

describe('a subset of the targets', () => {
  const sizes = fc.record({
    n: fc.integer({ min: 1, max: 120 }),
    size: fc.integer({ min: 1, max: 30 }),
    gateways: fc.nat(60),
  })

  it('loads all targets alike, to within one gateway, where gateways are numbered from 0', () => {
    fc.assert(
      fc.property(sizes, ({ n, size, gateways }) => {
        const used = usedBy(testTargets(n), size, numbered(0, gateways))
        assert.ok(Math.max(...used) - Math.min(...used) <= 1, used.join(' '))
      }),
      { seed: 9, numRuns: 150 },
    )
  })

  it('holds `size` targets, and what division leaves over; all where there are no two subsets', () => {
    fc.assert(
      fc.property(sizes, ({ n, size, gateways }) => {
        const { length } = subsetOf(testTargets(n), { size, instance: gateways }, n)
        const subsets = Math.max(1, Math.floor(n / size))
        assert.ok(
          length === Math.floor(n / subsets) || length === Math.ceil(n / subsets),
          `${length} of ${n}`,
        )
      }),
      { seed: 10, numRuns: 300 },
    )
  })

  it('changes by two targets at most when one is ejected, and comes back as it was', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), ({ n, size, gateways }, ejected) => {
        fc.pre(n >= 2)
        const all = testTargets(n)
        const options = { size, instance: gateways }
        const before = new Set(subsetOf(all, options, n))
        const after = subsetOf(
          all.filter((_, i) => i !== ejected % n),
          options,
          n,
        )
        assert.ok(after.filter((target) => !before.has(target)).length <= 2)
        assert.deepEqual(new Set(subsetOf(all.toReversed(), options, n)), before)
      }),
      { seed: 11, numRuns: 300 },
    )
  })

  it('shuffles each round anew, so that no two targets are always together', () => {
    const targets = testTargets(40)
    const [first] = targets
    const together = new Set<Target>()
    for (const instance of numbered(0, 4 * 30)) {
      const subset = subsetOf(targets, { size: 10, instance }, 40)
      if (subset.includes(first)) for (const target of subset) together.add(target)
    }
    assert.equal(together.size, 40)
  })

  it('spreads the load on average where gateways have names', () => {
    const n = 3000
    const names = numbered(0, n).map((i) => `gateway-${i.toString(36)}`)
    for (const count of usedBy(testTargets(40), 10, names)) assertShare(count, n, 1 / 4)
  })

  it('is never empty, however few are left', () => {
    for (const instance of numbered(0, 20)) {
      const left = testTargets(2)
      assert.ok(subsetOf(left, { size: 2, instance }, 40).length >= 1)
    }
  })

  it('is what the policy is told of, and picks from', () => {
    const all = testTargets(50)
    const balancer = withSubset(roundRobin(), { size: 5, instance: 3 }, () => all)
    balancer.onTargets?.(all)
    const seen = new Set(Array.from({ length: 100 }, () => balancer.pick(all, testRequest())))
    assert.deepEqual(seen, new Set<Target>(subsetOf(all, { size: 5, instance: 3 }, 50)))
  })

  it('counts the targets of its own tier', () => {
    const lower = testTargets(8).map((target) => ({ ...target, tier: 1 }))
    const first = testTargets(8)
    const balancer = withSubset(roundRobin(), { size: 5, instance: 3 }, () => [...first, ...lower])
    balancer.onTargets?.(first as Candidates)
    const seen = new Set(Array.from({ length: 100 }, () => balancer.pick(first, testRequest())))
    assert.equal(seen.size, 8)
  })
})

describe('subsets in a gateway', () => {
  const config = (subset: unknown) => ({
    upstreams: { main: { targets: testTargets(40).map(({ origin }) => ({ origin })), subset } },
    routes: [{ path: '/*', upstream: 'main' }],
  })
  async function usedIn(t: { after(end: () => Promise<void>): void }, subset: unknown): Promise<Set<string>> {
    const app = await buildGateway(config(subset))
    t.after(() => app.close())
    const main = app.upstreams.upstream('main')
    const used = new Set<string>()
    for (let i = 0; i < 200; i++) {
      const lease = main.lease(testRequest())
      assert.ok(typeof lease !== 'string')
      used.add(lease.target.id)
      lease.release()
    }
    return used
  }

  it('is used by number, and two gateways share the targets between them', async (t) => {
    const [first, second] = [
      await usedIn(t, { size: 20, instance: 0 }),
      await usedIn(t, { size: 20, instance: 1 }),
    ]
    assert.equal(first.size, 20)
    assert.equal(second.union(first).size, 40)
  })

  it('needs nothing but its size', async (t) => {
    assert.equal((await usedIn(t, 10)).size, 10)
  })

  it('refuses what is no subset at start, all at once', async () => {
    await assert.rejects(
      buildGateway(config({ size: 0, instance: -1 })),
      /subset\.instance: must be a whole number from 0 on, or a name[\s\S]*subset\.size: must be at least 1/,
    )
  })
})
