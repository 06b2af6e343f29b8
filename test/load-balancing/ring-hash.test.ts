import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Ring } from '../../plugins/load-balancing/hash/ring.ts'
import type { Balancer, Candidates, Target } from '../../plugins/upstreams/contract.ts'
import { murmur3 } from '../../plugins/upstreams/murmur3.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { seededDice } from '../support/dice.ts'
import { assertDistributed } from '../support/statistics.ts'
import { type TestTarget, testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { ringHash } from './keyed.ts'

const context = (seed = 1) => ({ now: () => 0, random: seededDice(seed) })
const KEYS = Array.from({ length: 400 }, (_, i) => `key-${i}`)

function ring(candidates: Candidates, options: object = { bounded: false }): Balancer {
  const balancer = ringHash(context(), options)
  balancer.onTargets?.(candidates)
  return balancer
}

function placed(balancer: Balancer, candidates: Candidates, keys: readonly string[] = KEYS): Target[] {
  balancer.onTargets?.(candidates)
  return keys.map((key) => balancer.pick(candidates, testRequest(key)))
}

function weights(...list: readonly number[]): Candidates {
  return list.map((weight, i) => testTarget(i + 1, { weight })) as unknown as Candidates
}

/** Points by target, in the order of the candidates. */
function pointsOf(candidates: Candidates, points = 160): number[] {
  const one = new Ring(points)
  one.update(candidates)
  const counts = new Map<unknown, number>()
  for (const owner of one.owners) counts.set(one.members[owner], (counts.get(one.members[owner]) ?? 0) + 1)
  return candidates.map((target) => counts.get(target) ?? 0)
}

balancerContract('ring-hash without a bound', (at) => ringHash(at, { bounded: false }))

const aFleet = fc
  .array(fc.record({ weight: fc.constantFrom(1, 1, 1, 2, 3, 5, 0, 10), stays: fc.boolean() }), {
    minLength: 1,
    maxLength: 25,
  })
  .map((list) => ({
    all: list.map(({ weight }, i) => testTarget(i + 1, { weight })) as unknown as Candidates,
    left: list.flatMap(({ stays }, i) => (stays ? [i] : [])),
  }))

describe('ring-hash: consistent hashing by a ring', () => {
  it('moves the keys of those that leave and no others, and all of them back', () => {
    fc.assert(
      fc.property(aFleet, ({ all, left }) => {
        const rest = left.map((i) => all[i] as Target)
        // Where only weights of 0 are left, they count alike: that is another ring.
        fc.pre(rest.some(({ weight }) => weight > 0))
        const balancer = ring(all)
        const before = placed(balancer, all)
        const after = placed(balancer, rest as unknown as Candidates)
        for (const [i, target] of before.entries()) {
          if (rest.includes(target))
            assert.equal(after[i], target, 'a key has moved though its target stayed')
        }
        assert.deepEqual(placed(balancer, all), before)
      }),
      { seed: 2, numRuns: 150 },
    )
  })

  it('takes keys only for the one that comes or grows', () => {
    const [first, ...others] = testTargets(9)
    const few = others as unknown as Candidates
    const balancer = ring(few)
    const before = placed(balancer, few)
    const after = placed(balancer, [first, ...few])
    for (const [i, target] of after.entries()) if (target !== first) assert.equal(target, before[i])
    first.weight = 4
    const grown = placed(balancer, [first, ...few])
    for (const [i, target] of grown.entries()) if (target !== first) assert.equal(target, after[i])
    assert.ok(
      grown.filter((target) => target === first).length > after.filter((target) => target === first).length,
    )
  })

  it('is the same however it came about, and in whichever order its targets are told', () => {
    fc.assert(
      fc.property(aFleet, fc.array(fc.nat()), ({ all, left }, order) => {
        const grown = ringHash(context(), { bounded: false })
        const some = left.map((i) => all[i] as Target)
        if (some.length > 0) grown.onTargets?.(some as unknown as Candidates)
        const shuffled = [...all]
        for (const [i, n] of order.entries()) {
          const [a, b] = [i % all.length, n % all.length]
          ;[shuffled[a], shuffled[b]] = [shuffled[b] as Target, shuffled[a] as Target]
        }
        assert.deepEqual(placed(grown, shuffled as unknown as Candidates), placed(ring(all), all))
      }),
      { seed: 3, numRuns: 100 },
    )
  })

  it('goes by the weights that are, and not by those that were', () => {
    const weight = fc.constantFrom(0.3, 1, 2, 5, 64, 100, 1000, 5000, 70_000)
    fc.assert(
      fc.property(fc.array(fc.tuple(weight, weight), { minLength: 2, maxLength: 6 }), (list) => {
        const all = list.map(([before], i) => testTarget(i + 1, { weight: before }))
        const known = all as unknown as Candidates
        const few = { bounded: false, points: 5 }
        const balancer = ring(known, few)
        placed(balancer, known)
        for (const [i, [, after]] of list.entries()) (all[i] as TestTarget).weight = after
        assert.deepEqual(placed(balancer, known), placed(ring(known, few), known))
      }),
      { seed: 4, numRuns: 40 },
    )
  })

  it('moves keys to or from the target alone whose weight was set, however large it was for a while', () => {
    const many = Array.from({ length: 3000 }, (_, i) => `user-${i}`)
    for (const [from, to] of [
      [1, 1000],
      [1000, 1],
      [100, 50],
      [3, 0],
    ] as const) {
      const all = weights(from, 50, 50, 1, 1)
      const balancer = ring(all)
      const before = placed(balancer, all, many)
      ;(all[0] as TestTarget).weight = to
      const after = placed(balancer, all, many)
      for (const [i, target] of after.entries())
        if (target !== before[i]) assert.ok(target === all[0] || before[i] === all[0], `${from} to ${to}`)
      ;(all[0] as TestTarget).weight = from
      assert.deepEqual(placed(balancer, all, many), before)
    }
  })

  it('does not depend on who came first where two points fall into one place', () => {
    // Among some 80,000 ids two have the same hash: birthdays over 2^32 days.
    const seen = new Map<number, Target>()
    let pair: [Target, Target] | undefined
    for (let i = 1; pair === undefined; i++) {
      const target = testTarget(i)
      const twin = seen.get(murmur3(target.id))
      if (twin === undefined) seen.set(murmur3(target.id), target)
      else pair = [twin, target]
    }
    const [one, two] = pair.toSorted((a, b) => (a.id < b.id ? -1 : 1)) as [Target, Target]
    for (const [first, second] of [
      [one, two],
      [two, one],
    ] as const) {
      const grown = new Ring(1)
      grown.update([first])
      grown.update([first, second])
      assert.deepEqual(
        [...grown.owners].map((owner) => grown.members[owner]),
        [one, two],
      )
      assert.equal(grown.members[grown.owners[grown.entry(murmur3(one.id))] as number], one)
    }
  })

  it('finds the first point at or after a hash, round the end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.nat(2 ** 32 - 1)),
        (n, points, hashes) => {
          const targets = testTargets(n)
          const one = new Ring(points)
          one.update(targets)
          const all = targets
            .flatMap((target) =>
              Array.from({ length: points }, (_, i) => ({ target, at: murmur3(target.id, i) })),
            )
            .sort((a, b) => a.at - b.at)
          for (const hash of [
            ...hashes,
            0,
            2 ** 32 - 1,
            ...all.map(({ at }) => at),
            ...all.map(({ at }) => at - 1),
          ]) {
            if (hash < 0) continue
            const expected = all.find(({ at }) => at >= hash) ?? all[0]
            assert.equal(one.members[one.owners[one.entry(hash)] as number], expected?.target)
          }
        },
      ),
      { seed: 4, numRuns: 60 },
    )
  })

  it('has ketama’s 160 points for each unit of weight, or as many as it is told', () => {
    assert.deepEqual(pointsOf(weights(1, 2, 0.5, 0)), [160, 320, 80, 0])
    assert.deepEqual(pointsOf(weights(3, 1), 10), [30, 10])
  })

  it('is of a sensible size whatever the weights are', () => {
    assert.deepEqual(pointsOf(weights(0.01, 0.005)), [205, 102], 'scaled up by 128, and rounded')
    assert.deepEqual(
      pointsOf(weights(1e6, 5e5, 1)),
      [156_250, 78_125, 1],
      'scaled down by 2^10, but never to nothing',
    )
    assert.deepEqual(pointsOf(weights(0, 0)), [160, 160], 'where all are 0 they count alike')
  })

  it('shares the ring as evenly as so many points can', () => {
    const n = 200
    const targets = testTargets(n)
    const one = new Ring(160)
    one.update(targets)
    const arcs = new Array<number>(n).fill(0)
    const step = 2 ** 12
    for (let hash = 0; hash < 2 ** 32; hash += step)
      arcs[one.owners[one.entry(hash)] as number]! += step / 2 ** 32
    // A share is Beta(160, 160 (n - 1)): its variance relative to its mean is 1/160, and the sum of n squared
    // deviations over that is chi-square; 3.89 standard deviations either way.
    const variance = arcs.reduce((sum, arc) => sum + (arc * n - 1) ** 2, 0) / n
    const margin = 3.89 * Math.sqrt(2 / n)
    assert.ok(Math.abs(variance * 160 - 1) < margin, `${variance * 160} is not 1 give or take ${margin}`)
  })

  it('spreads keys as the arcs are', () => {
    const targets = testTargets(5)
    const one = new Ring(160)
    one.update(targets)
    const arcs = new Array<number>(5).fill(0)
    for (let hash = 0; hash < 2 ** 32; hash += 2 ** 12) arcs[one.owners[one.entry(hash)] as number]!++
    const n = 50_000
    const balancer = ring(targets)
    const seen = new Array<number>(5).fill(0)
    for (let i = 0; i < n; i++)
      seen[targets.indexOf(balancer.pick(targets, testRequest(`user/${i}`)) as never)]!++
    assertDistributed(
      seen,
      arcs.map((arc) => (arc * n) / 2 ** 20),
    )
  })

  it('places a request without a key by chance, as the weights say', () => {
    const candidates = weights(5, 3, 1, 0)
    const balancer = ring(candidates)
    const n = 30_000
    const seen = [0, 0, 0, 0]
    for (let i = 0; i < n; i++) seen[candidates.indexOf(balancer.pick(candidates, testRequest('')))]!++
    assert.equal(seen.pop(), 0)
    assertDistributed(seen, [(n * 5) / 9, (n * 3) / 9, n / 9])
  })

  it('goes on to the next on the ring with a request that was tried: where it goes if the target leaves', () => {
    const all = testTargets(6)
    const balancer = ring(all)
    for (const key of KEYS) {
      const tried = new Set<Target>()
      while (tried.size < all.length) {
        const target = balancer.pick(all, { key, repeatable: true, tried })
        assert.ok(!tried.has(target))
        const rest = all.filter((one) => !tried.has(one)) as unknown as Candidates
        assert.equal(target, ring(rest).pick(rest, testRequest(key)))
        tried.add(target)
        if (key !== KEYS[0] && tried.size === 2) break
      }
      assert.ok(all.includes(balancer.pick(all, { key, repeatable: true, tried: new Set(all) }) as never))
    }
  })

  it('refuses options that make no ring, all at once', () => {
    assert.throws(
      () => ringHash(context(), { points: 0, bounded: { eps: 0 }, on: 'cookie', pionts: 1 }),
      (error: Error) =>
        /points: must be at least 1/.test(error.message) &&
        /bounded: eps must be above 0.*`bounded: false`/.test(error.message) &&
        /on: "cookie" is no source of keys/.test(error.message) &&
        /pionts: unknown key; did you mean "points"\?/.test(error.message),
    )
  })
})
