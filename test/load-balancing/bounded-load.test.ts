import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Balancer, Candidates, PolicyContext, Target } from '../../plugins/upstreams/contract.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { type TestTarget, testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { leased, registryOf } from '../upstreams/support.ts'
import { maglev, ringHash } from './keyed.ts'

const context = (seed = 1): PolicyContext => ({ now: () => 0, random: seededDice(seed) })

const POLICIES = [
  ['ring-hash', (options: object) => ringHash(context(), options)],
  ['maglev', (options: object) => maglev(context(), { tableSize: 1009, ...options })],
] as const

function begun(balancer: Balancer, candidates: Candidates): Balancer {
  balancer.onTargets?.(candidates)
  return balancer
}

function take(balancer: Balancer, candidates: Candidates, key: string): TestTarget {
  const target = balancer.pick(candidates, testRequest(key)) as TestTarget
  occupy(balancer, target, target.inflight + 1)
  return target
}

/** What the registry does when a request begins or ends. */
function occupy(balancer: Balancer, target: TestTarget, inflight: number): void {
  target.inflight = inflight
  balancer.onInflight?.(target)
}

const inflight = (candidates: Candidates): number => candidates.reduce((sum, one) => sum + one.inflight, 0)

for (const [name, create] of POLICIES) {
  describe(`${name}, with bounded load`, () => {
    it('puts nobody above (1 + eps) times the mean, rounded up, and spills only what would', () => {
      const steps = fc.array(fc.tuple(fc.nat(9), fc.nat(7), fc.boolean()), { minLength: 1, maxLength: 150 })
      const fleet = fc.array(fc.constantFrom(1, 1, 2, 5), { minLength: 1, maxLength: 8 })
      fc.assert(
        fc.property(fleet, steps, fc.constantFrom(0.01, 0.1, 0.25, 1, 3), (weights, all, eps) => {
          const targets = weights.map((weight, i) => testTarget(i + 1, { weight })) as [
            TestTarget,
            ...TestTarget[],
          ]
          const sum = weights.reduce<number>((a, b) => a + b, 0)
          const balancer = begun(create({ bounded: { eps, floor: 1 } }), targets)
          const free = begun(create({ bounded: false }), targets)
          const most = (target: Target, total: number) =>
            Math.ceil(((1 + eps) * total * target.weight) / sum - 1e-9)
          for (const [key, ends, leaves] of all) {
            const ended = targets[ends % targets.length] as TestTarget
            if (leaves && ended.inflight > 0) occupy(balancer, ended, ended.inflight - 1)
            const total = inflight(targets) + 1
            const home = free.pick(targets, testRequest(`k${key}`))
            const room = home.inflight + 1 <= most(home, total)
            const target = take(balancer, targets, `k${key}`)
            assert.ok(
              target.inflight <= most(target, total),
              `${target.inflight} of ${total} at weight ${target.weight} of ${sum}`,
            )
            assert.equal(
              target === home,
              room,
              room ? 'it spilled though there was room' : 'it did not spill',
            )
          }
        }),
        { seed: 7, numRuns: 200 },
      )
    })

    it('spreads a single hot key over as many targets as it takes', () => {
      const targets = testTargets(6)
      const balancer = begun(create({ bounded: { eps: 0.25, floor: 1 } }), targets)
      for (let i = 0; i < 600; i++) take(balancer, targets, 'hot')
      for (const target of targets)
        assert.ok(target.inflight <= 125, `${target.inflight} is above 1.25 x 100`)
      assert.ok(
        targets.filter((target) => target.inflight === 125).length >= 4,
        'a key stays with as few as can be',
      )
    })

    it('spills where the key would go without the one that is full', () => {
      const targets = testTargets(6)
      const balancer = begun(create({}), targets)
      const free = begun(create({ bounded: false }), targets)
      for (let i = 0; i < 200; i++) {
        const home = free.pick(targets, testRequest(`k${i}`)) as TestTarget
        occupy(balancer, home, 10)
        const tried = { ...testRequest(`k${i}`), tried: new Set<Target>([home]) }
        assert.equal(balancer.pick(targets, testRequest(`k${i}`)), free.pick(targets, tried))
        occupy(balancer, home, 0)
      }
    })

    it('keeps to it with many targets while requests only come', () => {
      const targets = testTargets(100)
      const balancer = begun(create({ bounded: { eps: 0.5, floor: 1 } }), targets)
      for (let i = 1; i <= 3000; i++) {
        const target = take(balancer, targets, `k${i % 40}`)
        assert.ok(target.inflight <= Math.ceil((1.5 * i) / 100), `${target.inflight} of ${i}`)
      }
    })

    it('keeps to it with many targets while they come and go', () => {
      const targets = testTargets(100)
      const random = seededDice(9)
      const balancer = begun(create({ bounded: { eps: 0.25, floor: 1 } }), targets)
      const open: TestTarget[] = []
      for (let i = 0; i < 20_000; i++) {
        // Up to a mean of ten, then down to five, and so on.
        const excess = open.length + 1 - (i % 4000 < 2000 ? 1000 : 500)
        for (let ends = Math.min(2, excess); ends > 0; ends--) {
          const [gone] = open.splice(Math.floor(random() * open.length), 1) as [TestTarget]
          occupy(balancer, gone, gone.inflight - 1)
        }
        const target = take(balancer, targets, `k${Math.floor(random() * 30)}`)
        open.push(target)
        const most = Math.ceil((1.25 * open.length) / 100)
        assert.ok(target.inflight <= most, `${target.inflight} of ${open.length} are more than ${most}`)
      }
    })

    it('a burst that has ended leaves no room for a hot key: the mean is what it is now', () => {
      const { users, registry } = registryOf(new Array(500).fill(0), { capacity: 1e6 })
      registry.defineBalancer('bounded', () => create({ bounded: { eps: 0.25, floor: 1 } }))
      registry.balance('users', 'bounded', {})
      const lease = (key: string) => leased(users.lease(testRequest(key)))
      const burst = Array.from({ length: 20_000 }, (_, i) => lease(`k${i}`))
      for (const one of burst) one.release()
      for (let i = 0; i < 200; i++) assert.equal(lease('hot').target.inflight, 1)
    })

    it('finds the only one with room among a thousand', () => {
      const targets = testTargets(1000)
      for (const target of targets) target.inflight = 50
      ;(targets[617] as TestTarget).inflight = 0
      const balancer = begun(
        create({ bounded: { eps: 0.0001 }, ...(name === 'maglev' ? { tableSize: 10_007 } : { points: 4 }) }),
        targets,
      )
      for (let i = 0; i < 20; i++) assert.equal(balancer.pick(targets, testRequest(`k${i}`)), targets[617])
    })

    it('takes one that was not tried if none has room', () => {
      const targets = testTargets(2)
      targets[0].inflight = 10
      const balancer = begun(create({}), targets)
      const request = { ...testRequest('k'), tried: new Set<Target>(targets.slice(1)) }
      assert.equal(balancer.pick(targets, request), targets[0])
    })

    it('a black hole does not attract what spills, and loses its own keys while it fails', () => {
      const clock = virtualClock()
      const targets = testTargets(6)
      const policy = name === 'ring-hash' ? ringHash : maglev
      const balancer = begun(policy({ now: clock.now, random: seededDice(1) }, {}), targets)
      // The others are busy, and slow; this one has nothing to do since it fails at once.
      const under: TestTarget[] = []
      let sent = 0
      for (let i = 0; i < 6000; i++) {
        clock.advance(1)
        const target = take(balancer, targets, `k${i % 97}`)
        if (target === targets[2]) {
          sent++
          balancer.onOutcome?.(target, { kind: 'answered', status: 500, latencyMs: 1 })
          target.inflight--
        } else under.push(target)
        if (under.length <= 40) continue
        const [done] = under.splice(0, 1)
        balancer.onOutcome?.(done as TestTarget, { kind: 'answered', status: 200, latencyMs: 40 })
        done!.inflight--
      }
      assert.ok(sent > 0 && sent < 6000 / 6 / 5, `${sent} of 6000, a sixth of which are its own`)
    })

    it('failures of one are forgotten: its keys come home', () => {
      const clock = virtualClock()
      const targets = testTargets(6)
      const policy = name === 'ring-hash' ? ringHash : maglev
      const balancer = begun(policy({ now: clock.now, random: seededDice(1) }, {}), targets)
      const home = balancer.pick(targets, testRequest('k'))
      for (let i = 0; i < 10; i++) {
        balancer.onOutcome?.(home, { kind: 'failed', reason: 'connect', requestSent: false, latencyMs: 1 })
      }
      const away = balancer.pick(targets, testRequest('k'))
      assert.notEqual(away, home)
      balancer.onTargets?.(targets.filter((target) => target !== away) as unknown as Candidates)
      assert.notEqual(balancer.pick(targets, testRequest('k')), home, 'a change elsewhere forgives nothing')
      balancer.onTargets?.(targets)
      clock.advance(60_000)
      assert.equal(balancer.pick(targets, testRequest('k')), home)
    })

    it('a second request at the same time does not lose its cache: with up to two there is room', () => {
      const targets = testTargets(6)
      const balancer = begun(create({}), targets)
      const home = take(balancer, targets, 'k')
      assert.equal(take(balancer, targets, 'k'), home)
      assert.notEqual(take(balancer, targets, 'k'), home)
      const wide = begun(create({ bounded: { floor: 5 } }), testTargets(6))
      const others = testTargets(6)
      assert.equal(new Set([1, 2, 3, 4, 5].map(() => take(wide, others, 'k'))).size, 1)
    })

    it('refuses a bound that is none', () => {
      for (const [bounded, message] of [
        [{ eps: 0 }, /eps must be above 0, since nobody can be held to the mean exactly, is 0/],
        [{ eps: -1 }, /eps must be above 0, is -1/],
        [{ eps: '1' }, /eps must be above 0, is "1"/],
        [{ floor: 0 }, /floor must be a whole number from 1 to 1000, is 0/],
        [{ floor: 1.5 }, /floor must be a whole number from 1 to 1000, is 1.5/],
        [{ epsilon: 1 }, /has no "epsilon"/],
        [true, /must be \{ eps: 0.25 \} or false, is true/],
      ] as const) {
        assert.throws(() => create({ bounded }), message)
      }
      assert.doesNotThrow(() => create({ bounded: {} }))
    })
  })
}
