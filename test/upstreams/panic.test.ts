import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Target, Upstream } from '../../plugins/upstreams/contract.ts'
import type { HealthSource, Veto } from '../../plugins/upstreams/health-source.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { inPanic } from '../../plugins/upstreams/tiers.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { assertShare } from '../support/statistics.ts'
import { countPicks, leased, originOf, pickOnce, request } from './support.ts'

/** An upstream in which panic is possible, and a source that vetoes and trusts as it is told. */
function upstreamOf(
  tiers: readonly number[],
  { panicThreshold = 0.5, failBackAfter = 0, capacity = 100 } = {},
) {
  const clock = virtualClock()
  const targets = tiers.map((tier, i) => ({ origin: originOf(i), tier }))
  const registry = new Registry(
    { now: clock.now, random: seededDice(3) },
    { users: { targets, capacity, panicThreshold, failBackAfter } },
  )
  const users = registry.upstream('users')
  const vetoes = new Map<Target, Veto>()
  const distrusted = new Set<Target>()
  const source: HealthSource = {
    name: 'test',
    allows: (target) => !vetoes.has(target),
    veto: (target) => vetoes.get(target) ?? 'unhealthy',
    trusts: (target) => !distrusted.has(target),
  }
  registry.addHealthSource(source)
  const events: string[] = []
  registry.onEvent(({ name, level }) => events.push(`${name} ${level}`))
  const at = (i: number) => users.targets[i] as Target
  return {
    clock,
    registry,
    users,
    at,
    distrusted,
    events,
    veto(i: number, kind: Veto | undefined = 'unhealthy') {
      vetoes.set(at(i), kind)
      registry.changed(at(i))
    },
    allow(i: number) {
      vetoes.delete(at(i))
      registry.changed(at(i))
    },
  }
}

describe('panic', () => {
  it('begins below the threshold, and only where all tiers together cannot carry the traffic', () => {
    const of = (...tiers: [number, number][]) =>
      inPanic(
        tiers.map(([eligible, total]) => ({ eligible, total })),
        0.5,
      )
    assert.deepEqual(of([1, 3]), [true])
    assert.deepEqual(of([2, 4]), [false])
    assert.deepEqual(of([0, 3], [3, 3]), [false, false], 'tier 1 carries it all')
    assert.deepEqual(of([0, 3], [1, 3]), [true, true])
    assert.deepEqual(of([0, 0], [1, 3]), [false, true], 'a tier without targets has nothing to fear')
    assert.deepEqual(inPanic([{ eligible: 0, total: 3 }], 0), [false], 'a threshold of 0 is never')
  })

  it('lets unhealthy targets in at once, proven ones fully, others as a trickle', () => {
    const n = 20_000
    const { users, veto, at, distrusted, events } = upstreamOf([0, 0, 0])
    veto(0)
    distrusted.add(at(0))
    assert.equal(countPicks(users, 100)[0], 0)
    veto(1)
    const [dead = 0, wronged = 0, well = 0] = countPicks(users, n)
    assertShare(dead, n, 0.1 / 2.1)
    assertShare(wronged, n, 1 / 2.1)
    assertShare(well, n, 1 / 2.1)
    assert.deepEqual(events, ['panic warn'])
  })

  it('ends with enough targets, and is told once each time', () => {
    const { users, veto, allow, events } = upstreamOf([0, 0, 0])
    for (let i = 0; i < 3; i++) {
      veto(0)
      veto(1)
      for (let k = 0; k < 5; k++) pickOnce(users)
      allow(0)
      for (let k = 0; k < 5; k++) pickOnce(users)
    }
    assert.equal(countPicks(users, 300)[1], 0)
    assert.deepEqual(events, Array(3).fill(['panic warn', 'calm info']).flat())
  })

  it('with nobody well at all uses them all rather than serve none', () => {
    const { users, veto } = upstreamOf([0, 0, 1])
    for (const i of [0, 1, 2]) veto(i)
    const counts = countPicks(users, 1000)
    assert.ok((counts[0] as number) > 300 && (counts[1] as number) > 300, `${counts}`)
    assert.equal(counts[2], 0, 'tier 1 is asked when tier 0 has failed')
    assert.equal(
      leased(users.lease(request([users.targets[0] as Target, users.targets[1] as Target]))).target,
      users.targets[2],
    )
  })

  it('never sets aside a veto that holds, nor the ignorance of a target that was not checked yet', () => {
    const { users, veto } = upstreamOf([0, 0, 0])
    veto(0, 'barred')
    veto(1, 'unchecked')
    veto(2)
    assert.deepEqual(countPicks(users, 100), [0, 0, 100])
    veto(2, 'barred')
    assert.equal(users.lease(request()), 'empty')
  })

  it('is not told of where nobody is there to join', () => {
    const { users, veto, events } = upstreamOf([0, 0, 0])
    for (const i of [0, 1, 2]) veto(i, 'barred')
    assert.equal(users.lease(request()), 'empty')
    assert.deepEqual(events, [])
  })
})

describe('a target that was not checked yet', () => {
  it('does not count as missing: its tier carries on without it', () => {
    const { users, veto, events } = upstreamOf([0, 0, 0, 1])
    veto(0, 'unchecked')
    veto(1, 'unchecked')
    assert.deepEqual(countPicks(users, 200), [0, 0, 200, 0])
    assert.deepEqual(events, [])
    veto(0)
    veto(1)
    assert.notEqual(countPicks(users, 200)[3], 0, 'known to be down, they are missed')
  })
})

describe('fail-back', () => {
  it('waits until a tier has been better for a while; getting worse counts at once', () => {
    const { users, veto, allow, clock, events } = upstreamOf([0, 1], { failBackAfter: 10_000 })
    assert.deepEqual(countPicks(users, 10), [10, 0])
    clock.advance(60_000)
    veto(0)
    assert.deepEqual(countPicks(users, 10), [0, 10])
    clock.advance(60_000)
    allow(0)
    assert.deepEqual(countPicks(users, 10), [0, 10])
    clock.advance(9999)
    assert.deepEqual(countPicks(users, 10), [0, 10])
    clock.advance(1)
    assert.deepEqual(countPicks(users, 10), [10, 0])
    assert.deepEqual(events, ['spilled warn', 'restored info'])
  })

  it('begins anew when the tier falls back meanwhile', () => {
    const { users, veto, allow, clock } = upstreamOf([0, 1], { failBackAfter: 10_000 })
    pickOnce(users)
    for (let i = 0; i < 5; i++) {
      veto(0)
      assert.equal(pickOnce(users), 1)
      clock.advance(6000)
      allow(0)
      assert.equal(pickOnce(users), 1)
      clock.advance(6000)
      assert.equal(pickOnce(users), 1, 'a flapping target is left alone')
    }
    clock.advance(4000)
    assert.equal(pickOnce(users), 0)
  })

  it('does not wait when the other tiers cannot carry the traffic', () => {
    const { users, veto, allow } = upstreamOf([0, 1], { failBackAfter: 10_000 })
    pickOnce(users)
    veto(0)
    assert.equal(pickOnce(users), 1)
    allow(0)
    veto(1)
    assert.equal(pickOnce(users), 0)
  })
})

describe('a tier that was emptied within failBackAfter', () => {
  for (const [how, empty] of [
    ['drained', (users, target) => void users.drain(target)],
    ['removed', (users, target) => void users.remove(target)],
  ] as const satisfies [string, (users: Upstream, target: Target) => void][]) {
    it(`does not have a snapshot built for every request from then on: ${how}`, () => {
      const { registry, users, veto, allow, clock, at } = upstreamOf([0, 1], { failBackAfter: 10_000 })
      let builds = 0
      registry.defineBalancer('counting', () => ({
        onTargets: () => void builds++,
        pick: (candidates) => candidates[0],
      }))
      registry.balance('users', 'counting', {})
      pickOnce(users)
      veto(0)
      pickOnce(users)
      allow(0)
      pickOnce(users)
      clock.advance(1000)
      empty(users, at(0))
      pickOnce(users)
      clock.advance(60_000)
      pickOnce(users)
      const before = builds
      for (let i = 0; i < 100; i++) pickOnce(users)
      assert.equal(builds, before)
    })
  }
})

describe('a tier in reserve', () => {
  it('is asked when all of the tier in use was tried, or is full', () => {
    const { users, at } = upstreamOf([0, 1], { capacity: 1 })
    assert.equal(leased(users.lease(request([at(0)]))).target, at(1))
    const { users: full, at: of } = upstreamOf([0, 1], { capacity: 1 })
    assert.equal(leased(full.lease(request())).target, of(0))
    assert.equal(leased(full.lease(request())).target, of(1))
    assert.equal(full.lease(request()), 'overloaded')
    assert.deepEqual(full.eligible(), [of(0)], 'in use is tier 0 only')
  })
})

describe('a request that cannot be repeated', () => {
  const POST = { ...request(), repeatable: false }

  it('goes only where there is proof of life, as long as there is such a place', () => {
    const { users, at, distrusted } = upstreamOf([0, 0, 0])
    distrusted.add(at(0)).add(at(1))
    for (let i = 0; i < 20; i++) {
      const lease = leased(users.lease(POST))
      assert.equal(lease.target, at(2))
      lease.release()
    }
    assert.ok((countPicks(users, 90)[0] as number) >= 25, 'others go there as ever: they are the probes')
    distrusted.add(at(2))
    assert.notEqual(typeof users.lease(POST), 'string', 'without any proof it goes somewhere all the same')
  })

  it('goes to a tier in reserve before it goes where proof is missing', () => {
    const { users, at, distrusted } = upstreamOf([0, 1])
    distrusted.add(at(0))
    assert.equal(leased(users.lease(POST)).target, at(1))
    assert.equal(pickOnce(users), 0)
  })
})

describe('signs of life', () => {
  it('are kept by the registry: how many wait, and since when nothing was heard', () => {
    const { users, at, clock } = upstreamOf([0])
    const target = at(0)
    clock.advance(100)
    const first = leased(users.lease(request()))
    assert.deepEqual([target.waiting, target.quietSince], [1, 100])
    clock.advance(5)
    const second = leased(users.lease(request()))
    assert.deepEqual([target.waiting, target.quietSince], [2, 100], 'the first one waits since then')
    clock.advance(5)
    second.heard()
    second.heard()
    assert.deepEqual([target.waiting, target.quietSince], [1, 110])
    clock.advance(5)
    second.settle({ kind: 'answered', status: 200, latencyMs: 10 })
    assert.deepEqual([target.waiting, target.quietSince], [1, 110], 'it was heard of already')
    first.settle({ kind: 'abandoned' })
    assert.deepEqual([target.waiting, target.quietSince], [0, 110], 'an abandoned one was not heard of')
    first.release()
    second.release()
    assert.equal(target.inflight, 0)
  })

  for (const [reason, heard] of [
    ['reset', true],
    ['protocol', true],
    ['timeout', false],
    ['overflow', false],
  ] as const) {
    it(`an attempt that failed by ${reason} is ${heard ? 'one' : 'none'}`, () => {
      const { users, at, clock } = upstreamOf([0])
      const since = clock.now()
      const [waits, failed] = [leased(users.lease(request())), leased(users.lease(request()))]
      clock.advance(5)
      failed.settle({ kind: 'failed', reason, requestSent: true, latencyMs: 5 })
      assert.deepEqual([at(0).waiting, at(0).quietSince], [1, heard ? since + 5 : since])
      waits.release()
      failed.release()
    })
  }

  it('a hedge has to go elsewhere, and is not placed where all were tried', () => {
    const { users, at } = upstreamOf([0, 0])
    const hedge = { ...request([at(0)]), elsewhere: true }
    assert.equal(leased(users.lease(hedge)).target, at(1))
    assert.equal(users.lease({ ...hedge, tried: new Set(users.targets) }), 'overloaded')
  })
})

describe('a further attempt', () => {
  it('goes where there is proof that it works, as long as that was not tried', () => {
    const { users, at, distrusted } = upstreamOf([0, 0, 0, 1])
    distrusted.add(at(1))
    for (let i = 0; i < 50; i++) {
      const retry = leased(users.lease(request([at(0)])))
      assert.equal(retry.target, at(2))
      retry.release()
    }
    assert.equal(leased(users.lease(request([at(0), at(2)]))).target, at(3), 'in reserve, but proven')
    assert.equal(leased(users.lease(request([at(0), at(2), at(3)]))).target, at(1))
    assert.notEqual(countPicks(users, 300)[1], 0, 'first attempts find out about it')
  })
})
