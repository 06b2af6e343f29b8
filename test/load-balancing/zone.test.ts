import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { zoneAware } from '../../plugins/load-balancing/zone/zone-aware.ts'
import type { Balancer, PolicyContext, Target } from '../../plugins/upstreams/contract.ts'
import type { Division, Standing } from '../../plugins/upstreams/division.ts'
import { tierShares } from '../../plugins/upstreams/tiers.ts'
import { seededDice } from '../support/dice.ts'
import { buildGateway } from '../support/gateway.ts'
import { assertShare } from '../support/statistics.ts'
import { testRequest, testTarget } from '../support/test-targets.ts'
import { divided } from './divided.ts'
import { ringHash } from './keyed.ts'

const MIN_HEALTHY = 1 / 1.4
const inA = ({ zone }: Target): boolean => zone === 'a'

/** The part of the traffic that stays in zone a. */
function ownShare(targets: readonly Target[], minHealthy = MIN_HEALTHY): number {
  const [own] = zoneAware({ zone: 'a', minHealthy })(targets)
  return own?.share as number
}

/** Targets of a zone, the first of them well, the rest as said. */
function zoneOf(zone: string, well: number, total: number, otherwise: Standing = 'missing'): Target[] {
  return Array.from({ length: total }, (_, i) =>
    testTarget(i + 1, { zone, standing: i < well ? 'well' : otherwise }),
  )
}

/** Targets in these zones, in an upstream that stays in zone a where it can. */
function fleet(zones: string, create?: (context: PolicyContext) => Balancer, seed = 1) {
  const targets = [...zones].map((zone) => ({ zone }))
  const divide: Division = zoneAware({ zone: 'a', minHealthy: MIN_HEALTHY })
  return divided({ targets, divide, seed, ...(create === undefined ? {} : { create }) })
}

describe('the own zone’s share', () => {
  it('is what tiers would get: the own zone first, the others second', () => {
    const health = fc
      .nat(20)
      .chain((total) => fc.record({ eligible: fc.nat(total), total: fc.constant(total) }))
    fc.assert(
      fc.property(health, health, (own, others) => {
        const targets = [
          ...zoneOf('a', own.eligible, own.total),
          ...zoneOf('b', others.eligible, others.total),
        ]
        assert.ok(Math.abs(ownShare(targets) - (tierShares([own, others])[0] as number)) < 1e-9)
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
      const own = ownShare([...zoneOf('a', eligible, 10), ...zoneOf('b', others, 10)], minHealthy)
      assert.ok(Math.abs(own - share) < 1e-12, String(own))
    })
  }

  it('is not made larger by those that are used in panic only', () => {
    assert.equal(ownShare([...zoneOf('a', 0, 20, 'doubtful'), ...zoneOf('b', 15, 15)]), 0)
  })
})

describe('zone awareness', () => {
  const ALL = 'aaaaabbbbbccccc'

  it('stays in the own zone while it is well enough', () => {
    const { count, veto, at } = fleet(ALL)
    assert.equal(count(200, inA), 200)
    veto([at(0)])
    assert.equal(count(200, inA), 200, 'four of five are above 1 / 1.4')
  })

  it('spills in proportion, evenly over the other zones', () => {
    const n = 20_000
    const { count, veto, at, pick } = fleet(ALL, undefined, 4)
    veto([at(0), at(1), at(2)])
    assertShare(count(n, inA), n, (1.4 * 2) / 5)
    const far = Array.from({ length: 2000 }, () => pick().zone).filter((zone) => zone !== 'a')
    const inB = far.filter((zone) => zone === 'b').length
    assert.ok(Math.abs(inB - (far.length - inB)) <= 5, 'one after another, over both of them')
  })

  it('goes elsewhere when its zone is gone, and stays when the others are', () => {
    const one = fleet(ALL)
    one.veto(one.main.targets.filter(inA), 'barred')
    assert.equal(one.count(100, inA), 0)
    const other = fleet(ALL)
    other.veto(
      other.main.targets.filter((target) => !inA(target)),
      'barred',
    )
    assert.equal(other.count(100, inA), 100)
  })

  for (const create of [undefined, ringHashed]) {
    it(`the loss of the own zone is no outage while another stands: ${create?.name ?? 'in turn'}`, () => {
      const { count, veto, main } = fleet('a'.repeat(20) + 'b'.repeat(15), create)
      const own = main.targets.filter(inA)
      veto(own)
      const keys = (i: number) => ({ key: `k${i}` })
      assert.equal(count(2000, inA), 0)
      assert.equal(count(2000, inA, keys), 0)
      const further = { tried: new Set([main.targets[25] as Target]) }
      assert.equal(
        count(500, inA, () => further),
        0,
        'nor do retries and hedges go there',
      )
      assert.equal(
        count(500, inA, () => ({ repeatable: false })),
        0,
      )
    })
  }

  it('with nobody well in any zone looks for one that works in all of them', () => {
    const { count, veto, main } = fleet('aaaabbbb')
    veto(main.targets)
    assert.ok(count(400, inA) > 100)
    assert.ok(count(400, (target) => !inA(target)) > 100)
  })

  for (const [what, change] of [
    ['has no weight', ({ main, at }) => main.setWeight(at(0), 0)],
    ['was not checked yet', ({ veto, at }) => veto([at(0)], 'unchecked')],
    ['is told to go', ({ main, at }) => void main.drain(at(0))],
    ['is removed', ({ main, at }) => void main.remove(at(0))],
  ] as const satisfies [string, (made: ReturnType<typeof fleet>) => void][]) {
    it(`a target that ${what} is missed by nobody: all traffic stays`, () => {
      const made = fleet('aabb')
      change(made)
      assert.equal(made.count(500, inA), 500)
    })
  }

  for (const size of [4, 8, 20]) {
    it(`the slow start of a whole zone sends nothing away, whether it has ${size} targets or more`, () => {
      const { count, share, main } = fleet('a'.repeat(size) + 'b'.repeat(size))
      share(main.targets.filter(inA), 0.1)
      assert.equal(count(1000, inA), 1000)
      assert.equal(
        count(1000, inA, (i) => ({ key: `k${i}` })),
        1000,
      )
    })
  }

  it('looks at its own tier only', () => {
    const targets = [{ zone: 'a' }, { zone: 'b' }, ...'aaa'].map((one) =>
      typeof one === 'string' ? { zone: one, tier: 1 } : one,
    )
    const made = divided({ targets, divide: zoneAware({ zone: 'a', minHealthy: MIN_HEALTHY }) })
    made.veto(made.main.targets.slice(2))
    assert.equal(made.count(100, inA), 100)
  })

  it('spills the same keys each time, as many as it should, and keeps like with like', () => {
    const { count, veto, at, pick } = fleet(ALL, ringHashed)
    veto([at(0), at(1), at(2)])
    const n = 20_000
    const key = (i: number) => ({ key: `user-${i}` })
    assertShare(count(n, inA, key), n, (1.4 * 2) / 5)
    const where = () => Array.from({ length: 300 }, (_, i) => pick(key(i)).id)
    assert.deepEqual(where(), where())
  })

  it('helps a request that has tried all of its zone elsewhere', () => {
    const { pick, main } = fleet(ALL)
    const tried = new Set(main.targets.filter(inA))
    assert.notEqual(pick({ tried }).zone, 'a')
    assert.ok(main.targets.includes(pick({ tried: new Set(main.targets) })))
  })

  it('sessions whose target is away stay in the zone as others do', () => {
    const { count, veto, at, pick, main } = fleet('aaaaabbbbb')
    veto([at(0)])
    const session = (i: number) => ({ binding: { target: at(0), key: `s-${i}` } })
    assert.equal(count(1000, inA, session), 1000)
    veto([at(1), at(2)])
    const n = 20_000
    assertShare(count(n, inA, session), n, (1.4 * 2) / 5)
    assert.equal(pick(session(7)), pick(session(7)))
    // Home is home, in whichever zone it is.
    assert.equal(pick({ binding: { target: main.targets[9], key: 's' } }), main.targets[9])
  })

  it('tells each side’s policy its own targets and outcomes', () => {
    const told: string[] = []
    let number = 0
    const create = (): Balancer => {
      const name = number++ === 0 ? 'own' : 'others'
      const zones = (list: readonly Target[]): string => [...new Set(list.map(({ zone }) => zone))].join('')
      return {
        onTargets: (candidates) => told.push(`${name} ${zones(candidates)}`),
        pick: (candidates) => candidates[0],
        onInflight: ({ zone, inflight }) => told.push(`${name} ${zone} ${inflight}`),
        onOutcome: ({ zone }, { kind }) => told.push(`${name} ${zone} ${kind}`),
      }
    }
    const { main, veto, at } = fleet(ALL, create, 3)
    veto([at(2), at(3), at(4)])
    const seen = new Set<string>()
    while (seen.size < 2) {
      told.length = 0
      const lease = main.lease(testRequest())
      assert.ok(typeof lease !== 'string')
      lease.release()
      const { zone } = lease.target
      const name = zone === 'a' ? 'own' : 'others'
      if (seen.size === 0) assert.deepEqual(told.splice(0, 2), ['own a', 'others bc'])
      assert.deepEqual(told, [`${name} ${zone} 1`, `${name} ${zone} abandoned`, `${name} ${zone} 0`])
      seen.add(name)
    }
  })
})

function ringHashed({ now }: PolicyContext): Balancer {
  return ringHash({ now, random: seededDice(1) }, { bounded: false })
}

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
