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
import { withSubset } from '../../plugins/load-balancing/subset/subset.ts'
import type { Balancer, Candidates, PolicyContext, Target } from '../../plugins/upstreams/contract.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { seededDice } from '../support/dice.ts'
import { buildGateway } from '../support/gateway.ts'
import { assertShare } from '../support/statistics.ts'
import { testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { ringHash } from './keyed.ts'

balancerContract('a subset over round-robin', (context) =>
  withSubset(context, roundRobin(), { size: 3, instance: 2, of: 5 }),
)

/** What each target gets of all gateways' traffic, which they send alike, as a multiple of what its weight deserves. */
function loads(targets: readonly Target[], gateways: readonly ApertureOptions[]): number[] {
  const got = new Map<Target, number>(targets.map((target) => [target, 0]))
  for (const options of gateways) {
    const { targets: used, parts } = apertureOf(targets, options)
    const wanted = used.map((target, i) => target.weight * (parts[i] as number))
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
          const { parts } = apertureOf(testTargets(n), { size, instance, of })
          const whole = parts.reduce((sum, part) => sum + part, 0)
          assert.ok(whole > Math.min(size, n) - 1e-6, `${whole} of ${size}`)
          assert.ok(whole < Math.min(n, size + n / of) + 1e-6, `${whole} of ${size}`)
          assert.ok(parts.filter((part) => part < 1).length <= 2)
        }
      }),
      { seed: 10, numRuns: 300 },
    )
  })

  it('moves by one target at each end when one is ejected, and comes back as it was', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), ({ n, size, of }, ejected, number) => {
        fc.pre(n >= 2)
        const all = testTargets(n)
        const options = { size, instance: number % of, of }
        const before = apertureOf(all, options)
        const left = all.filter((_, i) => i !== ejected % n)
        const after = apertureOf(left, options)
        const came = after.targets.filter((target) => !before.targets.includes(target)).length
        // It may be a whole gateway's width longer as well, where fewer targets make that necessary.
        assert.ok(came <= 2 + Math.ceil(n / of), `${came}`)
        assert.ok(after.targets.length >= 1)
        const parts = ({ targets, parts }: Aperture) =>
          new Map(targets.map((target, i) => [target, parts[i]]))
        assert.deepEqual(parts(apertureOf(all.toReversed(), options)), parts(before))
      }),
      { seed: 11, numRuns: 300 },
    )
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
  for (const [name, create] of Object.entries(POLICIES)) {
    it(`sends the targets at its ends their part of what the others get: ${name}`, () => {
      const all = testTargets(25)
      const n = 6000
      const counts = new Map<Target, number>()
      for (const options of numbered(8, 4)) {
        const context = { now: () => 0, random: seededDice(3 + (options.instance as number)) }
        const balancer = withSubset(context, create(context), options)
        balancer.onTargets?.(all)
        for (let i = 0; i < n; i++) {
          const target = balancer.pick(all, testRequest())
          counts.set(target, (counts.get(target) ?? 0) + 1)
        }
      }
      for (const target of all) {
        const load = ((counts.get(target) ?? 0) * 25) / (8 * n)
        assert.ok(load > 0.93 && load < 1.07, `${load}`)
      }
    })
  }

  it('keeps each key where it is, at the ends too', () => {
    const all = testTargets(25)
    const context = { now: () => 0, random: seededDice(3) }
    const options = { size: 4, instance: 3, of: 8 }
    const balancer = withSubset(context, ringHash(context, { bounded: false }), options)
    const at = () => Array.from({ length: 4000 }, (_, i) => balancer.pick(all, testRequest(`key-${i}`)))
    const first = at()
    assert.deepEqual(at(), first)
    const { targets, parts } = apertureOf(all, options)
    const own = (wanted: Target | undefined) => first.filter((target) => target === wanted).length
    assert.ok((parts[0] as number) < 1, 'there is an end to look at')
    const alone = ringHash(context, { bounded: false })
    const whole = Array.from({ length: 4000 }, (_, i) =>
      alone.pick(targets as unknown as Candidates, testRequest(`key-${i}`)),
    ).filter((target) => target === targets[0]).length
    assertShare(own(targets[0]), whole, parts[0] as number)
  })

  it('is told of the subset, and picks from nothing else', () => {
    const all = testTargets(50)
    const context = { now: () => 0, random: seededDice(1) }
    const options = { size: 5, instance: 3, of: 9 }
    const balancer = withSubset(context, roundRobin(context), options)
    const seen = new Set(Array.from({ length: 300 }, () => balancer.pick(all, testRequest())))
    assert.deepEqual(seen, new Set<Target>(apertureOf(all, options).targets))
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
