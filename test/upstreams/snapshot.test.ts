import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Candidates, Target } from '../../plugins/upstreams/contract.ts'
import { loadedDice, seededDice } from '../support/dice.ts'
import { assertShare } from '../support/statistics.ts'
import { countPicks, leased, opinion, originOf, pickOnce, registryOf, request } from './support.ts'

/** The first candidate, always; counts what it is told. */
function watcher() {
  const snapshots: Candidates[] = []
  let made = 0
  const create = () => {
    made++
    return {
      onTargets: (candidates: Candidates) => snapshots.push(candidates),
      pick: (candidates: Candidates) => candidates[0],
    }
  }
  return { create, snapshots, made: () => made }
}

describe('the snapshot', () => {
  it('is rebuilt when something changed and at no other time', () => {
    const { registry, users } = registryOf([0, 0])
    const { create, snapshots } = watcher()
    const { source, vetoed } = opinion()
    registry.addHealthSource(source)
    registry.defineBalancer('watcher', create)
    registry.balance('users', 'watcher', {})
    const [a, b] = users.targets as [Target, Target]

    for (let i = 0; i < 50; i++) pickOnce(users)
    assert.equal(snapshots.length, 1)
    vetoed.add(a)
    for (let i = 0; i < 50; i++) pickOnce(users)
    assert.equal(snapshots.length, 1, 'a change of mind that nobody told is not seen')
    registry.changed(a)
    registry.changed(a)
    registry.changed(b)
    assert.equal(pickOnce(users), 1)
    assert.equal(snapshots.length, 2, 'three changes between two requests cost one')
    assert.deepEqual(snapshots[1], [b])
    users.setWeight(b, 3)
    pickOnce(users)
    users.setWeight(b, 3)
    pickOnce(users)
    assert.equal(snapshots.length, 3, 'the same weight again is no change')
    users.add({ origin: originOf(7) })
    pickOnce(users)
    assert.equal(snapshots.length, 4)
  })

  it('holds those that no source vetoes', () => {
    const { registry, users } = registryOf([0, 0, 0])
    const [first, second] = [opinion('first'), opinion('second')]
    const [a, b, c] = users.targets as [Target, Target, Target]
    registry.addHealthSource(first.source)
    registry.addHealthSource(second.source)
    first.vetoed.add(a)
    second.vetoed.add(b)
    assert.deepEqual(users.eligible(), [c])
    first.vetoed.delete(a)
    registry.changed(a)
    assert.deepEqual(users.eligible(), [a, c])
  })

  it('is what a lease holds to, even if a balancer returns nothing or one that it has kept', () => {
    const { registry, users } = registryOf([0, 0])
    const [a, b] = users.targets as [Target, Target]
    const { source, vetoed } = opinion()
    registry.addHealthSource(source)
    let answer: Target | undefined = a
    registry.defineBalancer('stubborn', () => ({ pick: () => answer as Target }))
    registry.balance('users', 'stubborn', {})
    assert.equal(leased(users.lease(request())).target, a)
    vetoed.add(a)
    registry.changed(a)
    assert.equal(leased(users.lease(request())).target, b)
    answer = undefined
    assert.equal(leased(users.lease(request())).target, b)
  })
})

describe('a share', () => {
  const N = 20_000

  it('is the part of its usual traffic that a target gets', () => {
    for (const share of [0.1, 0.5, 0.9]) {
      const random = seededDice(7)
      const { registry, users } = registryOf([0, 0, 0, 0], { random })
      const { source, shares } = opinion()
      registry.addHealthSource(source)
      shares.set(users.targets[1] as Target, share)
      // In turn: what it does not take moves the turn on, so that a round is that much shorter.
      assertShare(countPicks(users, N)[1] as number, N, share / (3 + share))
      registry.defineBalancer('dice', () => ({
        pick: (candidates) => candidates[Math.floor(random() * candidates.length)] ?? candidates[0],
      }))
      registry.balance('users', 'dice', {})
      assertShare(countPicks(users, N)[1] as number, N, share / 4)
    }
  })

  it('is kept under a balancer that insists on the target', () => {
    const { registry, users } = registryOf([0, 0], { random: seededDice(8) })
    const { source, shares } = opinion()
    registry.addHealthSource(source)
    registry.defineBalancer('watcher', watcher().create)
    registry.balance('users', 'watcher', {})
    shares.set(users.targets[0] as Target, 0.1)
    assertShare(countPicks(users, N)[0] as number, N, 0.1)
  })

  it('is the smallest that a source names', () => {
    const { registry, users } = registryOf([0])
    for (const share of [0.8, 0.3, 0.6]) {
      registry.addHealthSource({ name: `${share}`, allows: () => true, share: () => share })
    }
    users.eligible()
    assert.equal(users.targets[0]?.share, 0.3)
  })

  it('of nothing keeps all traffic away, second tries as well', () => {
    const { registry, users } = registryOf([0, 0], { random: loadedDice(0) })
    const { source, shares } = opinion()
    registry.addHealthSource(source)
    const [a, b] = users.targets as [Target, Target]
    shares.set(a, 0)
    assert.deepEqual(countPicks(users, 100), [0, 100])
    assert.equal(leased(users.lease(request([a, b]))).target, b)
    shares.set(b, 0)
    registry.changed(b)
    assert.equal(users.lease(request()), 'overloaded')
    assert.equal(users.lease(request([a])), 'overloaded')
  })

  it('of a little still serves when there is nobody else', () => {
    const { registry, users } = registryOf([0], { random: loadedDice(0.99) })
    registry.addHealthSource({ name: 'new', allows: () => true, share: () => 0.01 })
    assert.equal(pickOnce(users), 0)
  })
})

describe('tiers', () => {
  it('take over as Envoy has it: half of tier 0 gone, 70 % stay', () => {
    const n = 20_000
    const { registry, users } = registryOf([0, 0, 1, 1], { random: seededDice(9) })
    assert.deepEqual(countPicks(users, 1000).slice(2), [0, 0], 'all well: tier 1 gets nothing')
    const { source, vetoed } = opinion()
    vetoed.add(users.targets[0] as Target)
    registry.addHealthSource(source)
    const counts = countPicks(users, n)
    assert.equal(counts[0], 0)
    assertShare(counts[1] as number, n, 0.7)
  })

  it('spill over when the chosen one is full, and are empty only when all are down', () => {
    const { registry, users } = registryOf([0, 0, 1], { capacity: 1 })
    const { source, vetoed } = opinion()
    registry.addHealthSource(source)
    vetoed.add(users.targets[0] as Target)
    const taken = [1, 2].map(() => leased(users.lease(request())).target)
    assert.deepEqual(new Set(taken), new Set(users.targets.slice(1)))
    assert.equal(users.lease(request()), 'overloaded')
    for (const target of users.targets) vetoed.add(target)
    registry.changed(users.targets[0] as Target)
    assert.equal(users.lease(request()), 'empty')
    assert.deepEqual(users.eligible(), [])
  })

  it('have a balancer each, made once and told of its own tier only', () => {
    const { registry, users } = registryOf([0, 0, 1])
    const { source, vetoed } = opinion()
    registry.addHealthSource(source)
    const { create, snapshots, made } = watcher()
    registry.defineBalancer('watcher', create)
    registry.balance('users', 'watcher', {})
    pickOnce(users)
    assert.equal(made(), 1, 'tier 1 is not in use yet')
    vetoed.add(users.targets[0] as Target)
    registry.changed(users.targets[0] as Target)
    pickOnce(users)
    registry.changed(users.targets[0] as Target)
    pickOnce(users)
    assert.equal(made(), 2)
    for (const candidates of snapshots) assert.equal(new Set(candidates.map(({ tier }) => tier)).size, 1)
  })
})
