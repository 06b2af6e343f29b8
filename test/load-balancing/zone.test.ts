import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { roundRobin } from '../../plugins/load-balancing/choose/round-robin.ts'
import { ownShare, zoneAware } from '../../plugins/load-balancing/zone/zone-aware.ts'
import type { Balancer, Candidates, Outcome, Target } from '../../plugins/upstreams/contract.ts'
import { tierShares } from '../../plugins/upstreams/tiers.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { seededDice } from '../support/dice.ts'
import { buildGateway } from '../support/gateway.ts'
import { assertShare } from '../support/statistics.ts'
import { type TestTarget, testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { ringHash } from './keyed.ts'

const MIN_HEALTHY = 1 / 1.4
const context = (seed = 1) => ({ now: () => 0, random: seededDice(seed) })

function fleet(...zones: readonly string[]): [TestTarget, ...TestTarget[]] {
  return zones.map((zone, i) => testTarget(i + 1, { zone })) as [TestTarget, ...TestTarget[]]
}

function over(
  known: readonly Target[],
  {
    create = () => roundRobin(),
    seed = 1,
    minHealthy = MIN_HEALTHY,
  }: { create?: () => Balancer; seed?: number; minHealthy?: number } = {},
): Balancer {
  return zoneAware(context(seed), { zone: 'a', minHealthy }, () => known, create)
}

/** How many of `n` requests stay in zone a. */
function near(balancer: Balancer, candidates: readonly Target[], n: number, key = (_: number) => ''): number {
  const list = candidates as Candidates
  balancer.onTargets?.(list)
  let count = 0
  for (let i = 0; i < n; i++) if (balancer.pick(list, testRequest(key(i))).zone === 'a') count++
  return count
}

for (const [where, zone] of [
  ['in its own zone', ''],
  ['elsewhere', 'b'],
] as const) {
  balancerContract(`zones over round-robin, all ${where}`, (at) =>
    zoneAware(
      at,
      { zone, minHealthy: 0.7 },
      () => testTargets(50),
      () => roundRobin(),
    ),
  )
}

describe('the own zone’s share', () => {
  it('is what tiers would get: the own zone first, the others second', () => {
    const health = fc
      .nat(20)
      .chain((known) => fc.record({ eligible: fc.nat(known), known: fc.constant(known) }))
    fc.assert(
      fc.property(health, health, (own, others) => {
        const [first = 0] = tierShares(
          [own, others].map(({ eligible, known }) => ({ eligible, total: known })),
        )
        assert.ok(Math.abs(ownShare(own, others, MIN_HEALTHY) - first) < 1e-9)
      }),
      { seed: 8, numRuns: 500 },
    )
  })

  for (const [eligible, others, minHealthy, share] of [
    [10, 10, 0.7, 1],
    [7, 10, 0.7, 1],
    [6, 10, 0.7, 6 / 7],
    [5, 10, 1, 0.5],
    [0, 10, 0.7, 0],
    [1, 0, 0.7, 1],
    [0, 0, 0.7, 0],
    [2, 2, 0.7, 0.5],
  ] as const) {
    it(`is ${share.toFixed(3)} with ${eligible} of 10 here and ${others} of 10 elsewhere, ${minHealthy} being enough`, () => {
      const own = ownShare({ eligible, known: 10 }, { eligible: others, known: 10 }, minHealthy)
      assert.ok(Math.abs(own - share) < 1e-12, String(own))
    })
  }
})

describe('zone awareness', () => {
  const all = fleet(...'aaaaabbbbbccccc')

  it('stays in the own zone while it is well enough', () => {
    assert.equal(near(over(all), all, 200), 200)
    assert.equal(near(over(all), all.slice(1), 200), 200, 'four of five are above 1 / 1.4')
  })

  it('spills in proportion, evenly over the other zones', () => {
    const left = all.slice(3)
    const n = 20_000
    const balancer = over(all, { seed: 4 })
    assertShare(near(balancer, left, n), n, (1.4 * 2) / 5)
    const far = [0, 0]
    for (let i = 0; i < 1000; i++) {
      const { zone } = balancer.pick(left as unknown as Candidates, testRequest())
      if (zone !== 'a') far[zone === 'b' ? 0 : 1]!++
    }
    assert.ok(Math.abs((far[0] as number) - (far[1] as number)) <= 5, 'one after another, over both of them')
  })

  it('goes elsewhere when its zone is gone, and stays when the others are', () => {
    assert.equal(near(over(all), all.slice(5), 100), 0)
    assert.equal(near(over(all), all.slice(4, 5), 100), 100)
  })

  it('counts who is known, and not who is told to go', () => {
    const known: TestTarget[] = fleet(...'aaab')
    const left = [known[0], known[3]] as Target[]
    const n = 10_000
    assertShare(near(over(known, { seed: 5 }), left, n), n, 1.4 / 3)
    known[1]!.draining = true
    known[2]!.draining = true
    assert.equal(near(over(known), left, 100), 100)
    known.splice(1, 2)
    assert.equal(near(over(known), left, 100), 100)
  })

  it('looks at its own tier only', () => {
    const known = [...fleet('a', 'b'), ...fleet('a', 'a', 'a').map((target) => ({ ...target, tier: 1 }))]
    assert.equal(near(over(known), known.slice(0, 2), 100), 100)
  })

  it('spills the same keys each time, as many as it should, and keeps like with like', () => {
    const left = all.slice(3)
    const balancer = over(all, { create: () => ringHash(context(), { bounded: false }) })
    const n = 20_000
    const key = (i: number): string => `user-${i}`
    assertShare(near(balancer, left, n, key), n, (1.4 * 2) / 5)
    const where = () =>
      Array.from({ length: 300 }, (_, i) => balancer.pick(left as never, testRequest(key(i))).id)
    assert.deepEqual(where(), where())
  })

  it('helps a request that has tried all of its zone elsewhere', () => {
    const balancer = over(all)
    balancer.onTargets?.(all)
    const tried = new Set<Target>(all.slice(0, 5))
    assert.notEqual(balancer.pick(all, { key: '', repeatable: true, tried }).zone, 'a')
    assert.ok(all.includes(balancer.pick(all, { key: '', repeatable: true, tried: new Set(all) }) as never))
  })

  it('tells each side’s policy its own targets and outcomes', () => {
    const told: string[] = []
    const zones = (list: readonly Target[]): string => [...new Set(list.map(({ zone }) => zone))].join('')
    let number = 0
    const create = (): Balancer => {
      const name = number++ === 0 ? 'own' : 'others'
      return {
        onTargets: (candidates) => told.push(`${name} ${zones(candidates)}`),
        pick: (candidates) => candidates[0],
        onOutcome: ({ zone }: Target, { kind }: Outcome) => told.push(`${name} ${zone} ${kind}`),
      }
    }
    const balancer = over(all, { create })
    balancer.onTargets?.(all)
    balancer.onOutcome?.(all[0], { kind: 'abandoned' })
    balancer.onOutcome?.(all[7] as Target, { kind: 'abandoned' })
    assert.deepEqual(told, ['own a', 'others bc', 'own a abandoned', 'others b abandoned'])
  })
})

describe('zone awareness in a gateway', () => {
  const upstream = (zoneAware: unknown, zones = ['eu-1a', 'eu-1a', 'eu-1b']) => ({
    upstreams: {
      main: {
        targets: zones.map((zone, i) => ({
          origin: `http://10.0.0.${i + 1}`,
          ...(zone === '' ? {} : { zone }),
        })),
        zoneAware,
      },
    },
    routes: [{ path: '/*', upstream: 'main' }],
  })

  it('goes by what the registry knows', async (t) => {
    const app = await buildGateway(upstream('eu-1a'))
    t.after(() => app.close())
    const main = app.upstreams.upstream('main')
    const zonesOf = () =>
      new Set(
        Array.from({ length: 60 }, () => {
          const lease = main.lease(testRequest())
          assert.ok(typeof lease !== 'string')
          lease.release()
          return lease.target.zone
        }),
      )
    assert.deepEqual(zonesOf(), new Set(['eu-1a']))
    const down = new Set([main.targets[0]])
    app.upstreams.addHealthSource({ name: 'test', allows: (target) => !down.has(target) })
    assert.deepEqual(zonesOf(), new Set(['eu-1a', 'eu-1b']), 'half of a zone is less than 1 / 1.4')
    await main.remove(main.targets[0] as Target)
    assert.deepEqual(zonesOf(), new Set(['eu-1a']), 'who is removed is missed by nobody')
  })

  for (const [what, config, problem] of [
    [
      'a zone without targets',
      upstream('eu-1x'),
      /zoneAware\.zone: no target is in zone "eu-1x"; did you mean "eu-1a"\?/,
    ],
    [
      'targets without zones',
      upstream('eu-1a', ['', '']),
      /zoneAware\.zone: no target says where it stands; give each its `zone`/,
    ],
    [
      'no zone',
      upstream({ minHealthy: 2 }),
      /minHealthy: must be at most 1[\s\S]*zoneAware\.zone: is required/,
    ],
  ] as const) {
    it(`refuses ${what} at start`, async () => {
      await assert.rejects(buildGateway(config), problem)
    })
  }
})
