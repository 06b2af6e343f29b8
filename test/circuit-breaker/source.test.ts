import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BreakerSource, type CircuitBreakerOptions } from '../../plugins/circuit-breaker/source.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import type { UpstreamEvent } from '../../plugins/upstreams/events.ts'
import type { HealthSource } from '../../plugins/upstreams/health-source.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { loadedDice, seededDice, virtualClock } from '../support/dice.ts'
import { leased, originOf, request } from '../upstreams/support.ts'
import { bad, DEFAULTS, ok } from './support.ts'

function scene(targets: number, options: Partial<CircuitBreakerOptions> = {}, others: HealthSource[] = []) {
  const clock = virtualClock()
  const origins = Array.from({ length: targets }, (_, i) => ({ origin: originOf(i) }))
  const registry = new Registry(
    { now: clock.now, random: seededDice(1) },
    { users: { targets: origins, capacity: 100, panicThreshold: 0.5 } },
  )
  const users = registry.upstream('users')
  const events: UpstreamEvent[] = []
  registry.onEvent((event) => {
    if (event.by === 'circuit-breaker') events.push(event)
  })
  const wakes: number[] = []
  const all = { ...DEFAULTS, scope: 'target' as const, ...options }
  const source = new BreakerSource(
    (name) => (name === 'users' ? all : undefined),
    registry,
    { now: clock.now, random: loadedDice(0.5) },
    (time) => wakes.push(time),
  )
  for (const target of users.targets) source.follow(target)
  registry.onTargetChange(({ kind, target }) => {
    if (kind === 'added') source.follow(target)
    else if (kind === 'removed') source.forget(target)
  })
  registry.addHealthSource(source)
  for (const other of others) registry.addHealthSource(other)
  const once = (outcome: Outcome): number => {
    const lease = leased(users.lease(request()))
    lease.settle(outcome)
    lease.release()
    return users.targets.indexOf(lease.target)
  }
  /** Attempts until a target's breaker is open. */
  const breakDown = (target: number): void => {
    while (source.state(users.targets[target]!) !== 'open') {
      const lease = leased(users.lease(request()))
      lease.settle(lease.target === users.targets[target] ? bad() : ok())
      lease.release()
    }
  }
  const wake = (): number => {
    clock.advance(5000)
    return source.wake()
  }
  return { registry, users, clock, events, wakes, source, once, breakDown, wake }
}

const names = (events: readonly UpstreamEvent[]) => events.map(({ name, target }) => [name, target?.origin])

describe('breakers of targets', () => {
  it('an open one bars its target and no other, panic or not', () => {
    const { users, once, breakDown } = scene(2)
    breakDown(0)
    for (let i = 0; i < 20; i++) assert.equal(once(ok()), 1)
    breakDown(1)
    assert.equal(users.lease(request()), 'empty', 'all are barred, and that holds in panic')
  })

  it('announce each change once, with the target and the reason', () => {
    const { events, once, breakDown, wake } = scene(1)
    breakDown(0)
    wake()
    once(ok())
    once(ok())
    assert.deepEqual(
      events.map(({ name, level, why, by, upstream }) => [name, level, why, by, upstream]),
      [
        ['breaker-opened', 'warn', '10 failures in a row', 'circuit-breaker', 'users'],
        ['breaker-half-open', 'info', 'open for 5.0 s', 'circuit-breaker', 'users'],
        ['breaker-closed', 'info', '2 probes succeeded', 'circuit-breaker', 'users'],
      ],
    )
    assert.ok(events.every(({ target }) => target?.origin === originOf(0)))
  })

  it('an outage of all that is over for one is over for clients at once, not when its time is up', () => {
    const { users, clock, once, breakDown, source, wakes } = scene(3)
    for (const target of [0, 1, 2]) breakDown(target)
    assert.equal(users.lease(request()), 'empty')
    assert.equal(wakes.at(-1), clock.now() + 500, 'a tenth of openFor')
    clock.advance(499)
    source.wake()
    assert.equal(users.lease(request()), 'empty')
    clock.advance(1)
    source.wake()
    // All are probed, one request each; those that fail are barred, and tried again as long as none works.
    const seen = [once(bad()), once(bad())]
    assert.equal(new Set(seen).size, 2)
    const last = once(ok())
    assert.ok(!seen.includes(last))
    assert.equal(once(ok()), last)
    assert.equal(source.state(users.targets[last]!), 'closed')
    const others = users.targets.filter((_, i) => i !== last)
    clock.advance(1000)
    source.wake()
    assert.deepEqual(
      others.map((target) => source.state(target)),
      ['open', 'open'],
      'there is another target again: they get their rest',
    )
  })

  it('those of a whole upstream get their rest whatever happens', () => {
    const { users, clock, source, breakDown } = scene(2, { scope: 'upstream' })
    breakDown(0)
    clock.advance(4999)
    source.wake()
    assert.equal(source.state(users.targets[0]!), 'open')
  })

  it('half-open, refuse all but the probe: the rest goes elsewhere, or is told that all are busy', () => {
    const { users, breakDown, wake } = scene(2)
    breakDown(0)
    wake()
    const leases = Array.from({ length: 20 }, () => leased(users.lease(request())))
    assert.equal(leases.filter(({ target }) => target === users.targets[0]).length, 1)
    const alone = scene(1)
    alone.breakDown(0)
    alone.wake()
    leased(alone.users.lease(request()))
    assert.equal(alone.users.lease(request()), 'overloaded')
  })

  it('half-open, are not tried with what cannot be repeated while there is another target', () => {
    const { users, breakDown, wake, source } = scene(2)
    breakDown(0)
    wake()
    const order = { ...request(), repeatable: false }
    for (let i = 0; i < 20; i++) {
      const lease = leased(users.lease(order))
      assert.equal(lease.target, users.targets[1])
      lease.release()
    }
    assert.equal(source.state(users.targets[0]!), 'half-open')
    breakDown(1)
    assert.equal(leased(users.lease(order)).target, users.targets[0])
  })

  it('have the permit back when a source that is asked later refuses', () => {
    let refusing = true
    const { users, breakDown, wake } = scene(1, {}, [
      { name: 'later', allows: () => true, admit: () => !refusing },
    ])
    refusing = false
    breakDown(0)
    wake()
    refusing = true
    for (let i = 0; i < 50; i++) assert.equal(users.lease(request()), 'overloaded')
    refusing = false
    leased(users.lease(request())).release()
    leased(users.lease(request()))
  })

  it('take what began before they opened for no probe, however it ends', () => {
    const { users, clock, breakDown, wake, events, once } = scene(1)
    const earlier = [ok(), bad(), { kind: 'abandoned' } as const].map((outcome) => ({
      lease: leased(users.lease(request())),
      outcome,
    }))
    clock.advance(1)
    breakDown(0)
    wake()
    const probe = leased(users.lease(request()))
    clock.advance(1)
    for (const { lease, outcome } of earlier) {
      lease.settle(outcome)
      lease.release()
      assert.equal(users.lease(request()), 'overloaded', 'its permit is the probe’s')
    }
    probe.settle(ok())
    probe.release()
    assert.equal(events.at(-1)?.name, 'breaker-half-open')
    once(ok())
    assert.equal(events.at(-1)?.name, 'breaker-closed')
  })

  it('are woken at the next due time, which is what waking them returns', () => {
    const { users, clock, breakDown, source, wakes } = scene(3)
    breakDown(0)
    clock.advance(1000)
    breakDown(1)
    assert.deepEqual(wakes, [5000, 6000])
    clock.advance(4000)
    assert.equal(source.wake(), 6000)
    assert.deepEqual(
      users.targets.map((target) => source.state(target)),
      ['half-open', 'open', 'closed'],
    )
    clock.advance(1000)
    assert.equal(source.wake(), Number.POSITIVE_INFINITY)
  })

  it('of a target that has gone are gone; one that comes back begins closed', async () => {
    const { users, events, breakDown, source, wake } = scene(2)
    breakDown(0)
    const [gone] = users.targets
    await users.remove(gone!)
    assert.equal(wake(), Number.POSITIVE_INFINITY)
    assert.deepEqual(names(events), [['breaker-opened', originOf(0)]], 'nothing more is heard of it')
    const back = users.add({ origin: originOf(0) })
    assert.equal(source.state(back), 'closed')
    assert.ok(users.eligible().includes(back))
  })
})

describe('a breaker of an upstream', () => {
  it('counts all targets together, and bars them all', () => {
    const { users, once, events } = scene(4, { scope: 'upstream' })
    for (let i = 0; i < 10; i++) once(bad())
    assert.equal(users.lease(request()), 'empty')
    assert.deepEqual(names(events), [['breaker-opened', undefined]])
  })

  it('has its probes for all of them together', () => {
    const { users, once, wake, events } = scene(4, { scope: 'upstream', probes: 2 })
    for (let i = 0; i < 10; i++) once(bad())
    assert.equal(wake(), Number.POSITIVE_INFINITY)
    assert.equal(users.eligible().length, 4)
    const probes = [leased(users.lease(request())), leased(users.lease(request()))]
    assert.equal(users.lease(request()), 'overloaded')
    for (const probe of probes) probe.settle(ok())
    assert.equal(events.at(-1)?.name, 'breaker-closed')
    for (let i = 0; i < 10; i++) leased(users.lease(request()))
  })

  it('stays with the upstream when targets come and go', async () => {
    const { users, once, wake } = scene(2, { scope: 'upstream' })
    for (let i = 0; i < 10; i++) once(bad())
    await users.remove(users.targets[0]!)
    users.add({ origin: originOf(7) })
    assert.equal(users.lease(request()), 'empty', 'a new target does not get past it')
    wake()
    once(ok())
    once(ok())
    assert.equal(users.eligible().length, 2)
  })
})

describe('a health check that passes again', () => {
  for (const scope of ['target', 'upstream'] as const) {
    it(`has an open breaker try again before its time (scope ${scope})`, () => {
      const { registry, users, source, breakDown, once } = scene(2, { scope })
      registry.onEvent((event) => source.heard(event))
      const target = users.targets[0]!
      if (scope === 'target') breakDown(0)
      else while (source.state(target) !== 'open') once(bad())
      const event = { upstream: 'users', target, by: 'health-check', why: '', level: 'info' } as const
      registry.announce({ ...event, name: 'unhealthy' })
      assert.equal(source.state(target), 'open')
      registry.announce({ ...event, name: 'healthy' })
      assert.equal(source.state(target), 'half-open')
      registry.announce({ ...event, name: 'healthy' })
      while (source.state(target) !== 'closed') once(ok())
      registry.announce({ ...event, name: 'healthy' })
      assert.equal(source.state(target), 'closed', 'one that is closed stays so')
    })
  }
})
