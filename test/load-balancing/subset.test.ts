import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { leastRequests } from '../../plugins/load-balancing/choose/least-requests.ts'
import { random } from '../../plugins/load-balancing/choose/random.ts'
import { roundRobin } from '../../plugins/load-balancing/choose/round-robin.ts'
import { smoothWeighted } from '../../plugins/load-balancing/choose/smooth-weighted.ts'
import { weighted } from '../../plugins/load-balancing/choose/weighted.ts'
import {
  type Aperture,
  type ApertureOptions,
  apertureOf,
} from '../../plugins/load-balancing/subset/aperture.ts'
import { nested, withSubset } from '../../plugins/load-balancing/subset/subset.ts'
import { zoneAware } from '../../plugins/load-balancing/zone/zone-aware.ts'
import type { Balancer, Candidates, PolicyContext, Target } from '../../plugins/upstreams/contract.ts'
import { seededDice } from '../support/dice.ts'
import { buildGateway } from '../support/gateway.ts'
import { assertShare } from '../support/statistics.ts'
import { type TestTarget, testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { divided } from './divided.ts'
import { ringHash } from './keyed.ts'

function sliceOf({ slices }: Aperture, target: Target): number {
  return slices.get(target) ?? 1
}

/** What each target gets of all gateways' traffic, which they send alike, as a multiple of what its weight deserves. */
function loads(targets: readonly Target[], gateways: readonly ApertureOptions[]): number[] {
  const got = new Map<Target, number>(targets.map((target) => [target, 0]))
  for (const options of gateways) {
    const aperture = apertureOf(targets, options)
    const used = aperture.targets
    const wanted = used.map((target) => target.weight * sliceOf(aperture, target))
    const sum = wanted.reduce((a, b) => a + b, 0)
    for (const [i, target] of used.entries())
      got.set(target, (got.get(target) as number) + (wanted[i] as number) / sum)
  }
  const weight = targets.reduce((sum, one) => sum + one.weight, 0)
  return targets.map((target) => ((got.get(target) as number) * weight) / target.weight / gateways.length)
}

const numbered = (of: number, size: number): ApertureOptions[] =>
  Array.from({ length: of }, (_, instance) => ({ size, instance, of }))
const named = (count: number, size: number): ApertureOptions[] =>
  Array.from({ length: count }, (_, i) => ({ size, instance: `gateway-${(i * 7919).toString(36)}` }))

describe('an aperture', () => {
  const sizes = fc.record({
    n: fc.integer({ min: 1, max: 120 }),
    size: fc.integer({ min: 1, max: 30 }),
    of: fc.integer({ min: 1, max: 60 }),
  })
  const weightedTargets = (weights: readonly number[]): Candidates =>
    weights.map((weight, i) => testTarget(i + 1, { weight })) as unknown as Candidates

  it('loads all targets alike where gateways are numbered, whatever their number is', () => {
    for (const [of, n, size] of [
      [30, 1000, 50],
      [50, 300, 20],
      [7, 100, 10],
    ] as const) {
      const all = loads(testTargets(n), numbered(of, size))
      for (const load of all) assert.ok(Math.abs(load - 1) < 1e-6, `${of} x ${n} x ${size}: ${load}`)
    }
    fc.assert(
      fc.property(
        sizes,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        ({ n, size, of }, weights) => {
          const targets = weightedTargets(
            Array.from({ length: n }, (_, i) => weights[i % weights.length] as number),
          )
          for (const load of loads(targets, numbered(of, size)))
            assert.ok(Math.abs(load - 1) < 1e-6, `${load}`)
        },
      ),
      { seed: 9, numRuns: 100 },
    )
  })

  it('loads them alike on average where gateways have names', () => {
    const all = loads(testTargets(40), named(3000, 10))
    for (const load of all) assert.ok(load > 0.8 && load < 1.2, `${load}`)
  })

  it('holds as many targets as it is told to, and no more than the gateways make necessary', () => {
    fc.assert(
      fc.property(sizes, ({ n, size, of }) => {
        for (const instance of [0, of - 1]) {
          const { targets, slices } = apertureOf(testTargets(n), { size, instance, of })
          const whole = targets.reduce((sum, target) => sum + (slices.get(target) ?? 1), 0)
          assert.ok(whole > Math.min(size, n) - 1e-6, `${whole} of ${size}`)
          assert.ok(whole < Math.min(n, size + n / of) + 1e-6, `${whole} of ${size}`)
          assert.ok(slices.size <= 2)
        }
      }),
      { seed: 10, numRuns: 300 },
    )
  })

  it('moves by one target at each end when one goes down, and comes back as it was', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), fc.boolean(), ({ n, size, of }, lost, number, byName) => {
        fc.pre(n >= 2)
        const all = testTargets(n)
        const down = all[lost % n] as TestTarget
        const options = byName ? { size, instance: `gateway-${number}` } : { size, instance: number % of, of }
        const before = apertureOf(all, options)
        down.standing = 'missing'
        const after = apertureOf(all, options)
        const came = after.targets.filter((target) => !before.targets.includes(target))
        const went = before.targets.filter((target) => target !== down && !after.targets.includes(target))
        assert.ok(came.length <= 2 && went.length <= 2, `${came.length} came, ${went.length} went`)
        assert.ok(after.targets.length >= 1)
        down.standing = 'well'
        const slices = (aperture: Aperture) =>
          new Map(aperture.targets.map((target) => [target, sliceOf(aperture, target)]))
        assert.deepEqual(slices(apertureOf(all.toReversed(), options)), slices(before))
      }),
      { seed: 11, numRuns: 1000 },
    )
  })

  it('is not doubled by a single target that goes down where size x of / N is a whole number', () => {
    for (const [n, size, of] of [
      [100, 10, 10],
      [750, 50, 30],
    ] as const)
      for (const options of numbered(of, size)) {
        const all = testTargets(n)
        const before = apertureOf(all, options).targets.length
        for (const standing of ['missing', 'absent'] as const) {
          ;(all[7] as TestTarget).standing = standing
          const after = apertureOf(all, options).targets.length
          assert.ok(after <= before + 1, `${before} to ${after} of ${n}`)
        }
      }
  })

  it('is made of those that are well; those that are used in panic go with the arc that they stand in', () => {
    const all = testTargets(100)
    for (const target of all.slice(0, 55)) target.standing = 'doubtful'
    const used = new Map<Target, number>()
    for (const options of numbered(10, 10)) {
      const aperture = apertureOf(all, options)
      const well = aperture.targets.filter(({ standing }) => standing === 'well')
      const whole = well.reduce((sum, target) => sum + sliceOf(aperture, target), 0)
      assert.ok(Math.abs(whole - 4.5) < 1e-6, 'a tenth of those that are well')
      for (const target of aperture.targets)
        used.set(target, (used.get(target) ?? 0) + sliceOf(aperture, target))
    }
    assert.equal(used.size, 100)
    for (const times of used.values()) assert.ok(Math.abs(times - 1) < 1e-6, `${times}`)
  })

  it('leaves out who has no weight, unless nobody has any', () => {
    const some = weightedTargets([1, 0, 1, 0, 1, 0, 1, 0])
    for (const options of numbered(4, 1))
      for (const target of apertureOf(some, options).targets) assert.equal(target.weight, 1)
    assert.equal(apertureOf(weightedTargets([0, 0, 0, 0]), { size: 1, instance: 0, of: 4 }).targets.length, 1)
  })
})

describe('a policy over a subset', () => {
  const POLICIES: Readonly<Record<string, (context: PolicyContext) => Balancer>> = {
    'round-robin': roundRobin,
    random,
    weighted,
    'smooth-weighted': smoothWeighted,
    'least-requests': (context) => leastRequests(context, { choices: 2, bias: 1, fullScan: false }),
  }
  const over = (count: number, options: ApertureOptions, create?: (context: PolicyContext) => Balancer) =>
    divided({
      targets: new Array(count).fill({}),
      divide: withSubset(options),
      seed: 3 + (options.instance as number),
      ...(create === undefined ? {} : { create }),
    })

  for (const [name, create] of Object.entries(POLICIES)) {
    it(`sends the targets at its ends their part of what the others get: ${name}`, () => {
      const n = 12_000
      const counts = new Map<string, number>()
      for (const options of numbered(8, 4)) {
        const { pick } = over(25, options, create)
        for (let i = 0; i < n; i++) {
          const { id } = pick()
          counts.set(id, (counts.get(id) ?? 0) + 1)
        }
      }
      assert.equal(counts.size, 25)
      for (const [id, count] of counts) {
        const load = (count * 25) / (8 * n)
        assert.ok(load > 0.93 && load < 1.07, `${id}: ${load}`)
      }
    })
  }

  it('keeps each key where it is, at the ends too', () => {
    const options = { size: 4, instance: 3, of: 8 }
    const create = (context: PolicyContext) => ringHash(context, { bounded: false })
    const { pick, main } = over(25, options, create)
    const at = () => Array.from({ length: 4000 }, (_, i) => pick({ key: `key-${i}` }))
    const first = at()
    assert.deepEqual(at(), first)
    const { targets, slices } = apertureOf(main.targets, options)
    const [[end, slice] = []] = slices
    assert.ok(end !== undefined && slice !== undefined, 'there is an end to look at')
    const alone = create({ now: () => 0, random: seededDice(1) })
    const whole = Array.from({ length: 4000 }, (_, i) =>
      alone.pick(targets as unknown as Candidates, testRequest(`key-${i}`)),
    ).filter((target) => target === end).length
    assertShare(first.filter((target) => target === end).length, whole, slice)
  })

  it('is told of the subset, and picks from nothing else', () => {
    const options = { size: 5, instance: 3, of: 9 }
    const { pick, main } = over(50, options)
    const seen = new Set(Array.from({ length: 300 }, () => pick()))
    assert.deepEqual(seen, new Set(apertureOf(main.targets, options).targets))
  })

  it('leaves it when all of it was tried', () => {
    const options = { size: 5, instance: 3, of: 9 }
    const { pick, main } = over(50, options)
    const tried = new Set(apertureOf(main.targets, options).targets)
    assert.ok(!tried.has(pick({ tried })))
  })

  it('a subset that is down as a whole is no outage while others are well', () => {
    for (const instance of ['gw-1', 'gw-2']) {
      const options = { size: 20, instance }
      const { veto, count, main } = over(100, options)
      const subset = apertureOf(main.targets, options).targets
      const down = [
        ...subset,
        ...main.targets.filter((one) => !subset.includes(one)).slice(0, 55 - subset.length),
      ]
      veto(down)
      const dead = count(2000, (target) => down.includes(target))
      assert.ok(dead < 2000 * 0.25, `${dead} of 2000 go to those that are down`)
    }
  })

  for (const size of [6, 20]) {
    it(`the slow start of a whole subset of ${size} leaves it its traffic`, () => {
      const options = { size, instance: 'gw-1' }
      const { share, count, main } = over(100, options)
      const subset = new Set(apertureOf(main.targets, options).targets)
      share([...subset], 0.1)
      assert.equal(
        count(1000, (target) => subset.has(target)),
        1000,
      )
    })
  }

  it('has its sessions too, those whose target is away and those whose target is another gateway’s', () => {
    const options = { size: 10, instance: 2, of: 10 }
    const { veto, pick, main } = over(100, options)
    const subset = new Set(apertureOf(main.targets, options).targets)
    const elsewhere = main.targets.find((target) => !subset.has(target)) as Target
    const sessions = () =>
      Array.from({ length: 200 }, (_, i) => pick({ binding: { target: elsewhere, key: `s-${i}` } }))
    for (const at of sessions()) assert.equal(at, elsewhere)
    veto([elsewhere])
    main.eligible()
    const now = new Set<Target>(apertureOf(main.targets, options).targets)
    const standIns = sessions()
    for (const at of standIns) assert.ok(now.has(at))
    assert.deepEqual(sessions(), standIns)
  })

  it('is one of each zone where there are zones', () => {
    const targets = Array.from({ length: 60 }, (_, i) => ({ zone: i < 40 ? 'a' : 'b' }))
    const divide = nested(
      zoneAware({ zone: 'a', minHealthy: 0.7 }),
      withSubset({ size: 5, instance: 1, of: 8 }),
    )
    const { veto, pick, main } = divided({ targets, divide })
    const zones = (n: number) => {
      const seen = [new Set<Target>(), new Set<Target>()] as const
      for (let i = 0; i < n; i++) {
        const target = pick()
        seen[target.zone === 'a' ? 0 : 1].add(target)
      }
      return seen.map(({ size }) => size)
    }
    assert.deepEqual(zones(200), [5, 0])
    veto(main.targets.slice(0, 40))
    assert.deepEqual(zones(200), [0, 6], 'a quarter of 20: four whole ones, and half of one at each end')
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
      await usedIn(t, { size: 20, instance: 0, of: 2 }),
      await usedIn(t, { size: 20, instance: 1, of: 2 }),
    ]
    assert.equal(first.size, 20)
    assert.equal(second.union(first).size, 40)
  })

  it('needs nothing but its size, and is the same after a restart', async (t) => {
    const first = await usedIn(t, 10)
    assert.ok(first.size >= 9 && first.size <= 11, `${first.size}`)
    // A sliver at an end may have had no request.
    assert.ok((await usedIn(t, 10)).symmetricDifference(first).size <= 2)
  })

  it('refuses what is no subset at start, all at once', async () => {
    for (const [subset, message] of [
      [
        { size: 0, instance: -1 },
        /subset\.instance: must be a whole number from 0 on, or a name[\s\S]*subset\.size: must be at least 1/,
      ],
      [{ size: 5, instance: Number.NaN, of: 3 }, /subset\.instance: must be a whole number from 0 on/],
      [{ size: 5, instance: 2 }, /subset\.of: is required with a number as `instance`; write how many/],
      [{ size: 5, of: 2 }, /subset\.instance: must be a number where `of` is set; number the gateways/],
      [{ size: 5, instance: 'a', of: 2 }, /subset\.instance: must be a number where `of` is set/],
      [{ size: 5, instance: 2, of: 2 }, /subset\.instance: must be below 2, is 2; count from 0/],
    ] as const)
      await assert.rejects(buildGateway(config(subset)), message)
  })
})
