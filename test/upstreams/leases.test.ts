import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Outcome, Target } from '../../plugins/upstreams/contract.ts'
import { leased, opinion, originOf, registryOf, request } from './support.ts'

const ANSWERED: Outcome = { kind: 'answered', status: 200, latencyMs: 3 }

describe('a lease', () => {
  it('counts as in flight from its giving to its release, and not until it is settled', () => {
    const { users } = registryOf([0])
    const [target] = users.targets as [Target]
    const one = leased(users.lease(request()))
    const two = leased(users.lease(request()))
    assert.equal(target.inflight, 2)
    one.settle(ANSWERED)
    assert.equal(target.inflight, 2)
    one.release()
    assert.equal(target.inflight, 1)
    two.release()
    assert.equal(target.inflight, 0)
  })

  it('is released once, however often it is told to', () => {
    const { users } = registryOf([0])
    const one = leased(users.lease(request()))
    leased(users.lease(request()))
    one.release()
    one.release()
    assert.equal(users.targets[0]?.inflight, 1)
  })

  it('is settled once: the first outcome stands', () => {
    const { registry, users } = registryOf([0])
    const heard: Outcome[] = []
    registry.subscribe((_target, outcome) => heard.push(outcome))
    const lease = leased(users.lease(request()))
    lease.settle(ANSWERED)
    lease.settle({ kind: 'abandoned' })
    lease.release()
    assert.deepEqual(heard, [ANSWERED])
  })

  it('that is released unsettled was abandoned, so that a permit comes back', () => {
    const { registry, users } = registryOf([0])
    const { source, heard } = opinion()
    registry.addHealthSource(source)
    leased(users.lease(request())).release()
    assert.deepEqual(
      heard.map(([, kind]) => kind),
      ['abandoned'],
    )
  })

  it('frees its target even if who hears of it fails, and all others hear', () => {
    const { registry, users } = registryOf([0])
    let heard = 0
    const fail = (): never => {
      heard++
      throw new Error('a broken listener')
    }
    registry.addHealthSource({ name: 'broken', allows: () => true, onOutcome: fail })
    registry.subscribe(fail)
    registry.subscribe(() => heard++)
    leased(users.lease(request())).release()
    assert.equal(heard, 3)
    assert.equal(users.targets[0]?.inflight, 0)
  })

  it('tells its outcome to the balancer, the health sources and the listeners', () => {
    const { registry, users } = registryOf([0])
    const told: string[] = []
    const hear = (who: string) => (target: Target, outcome: Outcome) =>
      told.push(`${who} ${target.origin} ${outcome.kind}`)
    registry.defineBalancer('ear', () => ({
      pick: (candidates) => candidates[0],
      onOutcome: hear('balancer'),
    }))
    registry.balance('users', 'ear', {})
    registry.addHealthSource({ name: 'ear', allows: () => true, onOutcome: hear('health') })
    registry.subscribe(hear('listener'))
    leased(users.lease(request())).settle(ANSWERED)
    const what = `${originOf(0)} answered`
    assert.deepEqual(told, [`balancer ${what}`, `health ${what}`, `listener ${what}`])
  })
})

describe('a target that is full', () => {
  it('is passed over while another has room', () => {
    const { users } = registryOf([0, 0], { capacity: 1 })
    const origins = [1, 2].map(() => leased(users.lease(request())).target.origin)
    assert.deepEqual(origins.toSorted(), [originOf(0), originOf(1)])
  })

  it('makes the upstream overloaded when all are, and only until one is free', () => {
    const { users } = registryOf([0, 0], { capacity: 2 })
    const leases = [1, 2, 3, 4].map(() => leased(users.lease(request())))
    assert.equal(users.lease(request()), 'overloaded')
    leases[2]?.release()
    assert.equal(leased(users.lease(request())).target, leases[2]?.target)
    assert.equal(users.lease(request()), 'overloaded')
  })

  it('is not one that is missing: without eligible targets the upstream is empty', () => {
    const { registry, users } = registryOf([0, 0])
    registry.addHealthSource({ name: 'no', allows: () => false })
    assert.equal(users.lease(request()), 'empty')
    assert.equal(registryOf([]).users.lease(request()), 'empty')
  })
})

describe('a target already tried', () => {
  it('is not tried again while another is left', () => {
    const { users } = registryOf([0, 0, 0])
    const [a, b, c] = users.targets as [Target, Target, Target]
    for (let i = 0; i < 20; i++) assert.equal(leased(users.lease(request([a, c]))).target, b)
  })

  it('is tried again when all have been: the least busy first', () => {
    const { users } = registryOf([0, 0])
    const [a, b] = users.targets as [Target, Target]
    leased(users.lease(request([b])))
    assert.equal(leased(users.lease(request([a, b]))).target, b)
  })

  it('is left for the next tier, where that one is in use', () => {
    const { registry, users } = registryOf([0, 0, 1])
    const [a, b, c] = users.targets as [Target, Target, Target]
    registry.addHealthSource({ name: 'half', allows: (target) => target !== b })
    for (let i = 0; i < 20; i++) assert.equal(leased(users.lease(request([a]))).target, c)
  })
})

describe('a balancer that is asked again', () => {
  it('hears which targets could not be had, so that like goes to the next in line and not anywhere', () => {
    const { registry, users } = registryOf([0, 0, 0, 0], { capacity: 1 })
    registry.defineBalancer('in-line', () => ({
      pick: (candidates, { tried }) => candidates.find((target) => !tried.has(target)) ?? candidates[0],
    }))
    registry.balance('users', 'in-line', {})
    const refused = users.targets[1] as Target
    registry.addHealthSource({ name: 'gate', allows: () => true, admit: (target) => target !== refused })
    assert.equal(leased(users.lease(request())).target, users.targets[0])
    assert.equal(
      leased(users.lease(request())).target,
      users.targets[2],
      'the first is full, the second refused',
    )
  })
})

describe('admission', () => {
  it('is asked of picked targets only, and a refused one gets no lease', () => {
    const { registry, users } = registryOf([0, 0, 0])
    const asked: Target[] = []
    registry.addHealthSource({
      name: 'gate',
      allows: () => true,
      admit: (target) => {
        asked.push(target)
        return target === users.targets[2]
      },
    })
    users.eligible()
    assert.equal(asked.length, 0, 'a snapshot asks nobody for a permit')
    assert.equal(leased(users.lease(request())).target, users.targets[2])
    assert.equal(asked.length, 3)
  })

  it('refused by all leaves the upstream overloaded, and nothing in flight', () => {
    const { registry, users } = registryOf([0, 0])
    registry.addHealthSource({ name: 'shut', allows: () => true, admit: () => false })
    assert.equal(users.lease(request()), 'overloaded')
    assert.deepEqual(
      users.targets.map(({ inflight }) => inflight),
      [0, 0],
    )
  })

  it('spends no permit on an attempt that another source refuses', () => {
    const { registry, users } = registryOf([0])
    let permits = 1
    registry.addHealthSource({
      name: 'half-open',
      allows: () => true,
      admit: () => permits > 0 && permits-- > 0,
      onOutcome: () => permits++,
    })
    let open = false
    registry.addHealthSource({ name: 'gate', allows: () => true, admit: () => open })
    assert.equal(users.lease(request()), 'overloaded')
    open = true
    assert.equal(permits, 1)
    leased(users.lease(request())).release()
    assert.equal(permits, 1)
  })
})
