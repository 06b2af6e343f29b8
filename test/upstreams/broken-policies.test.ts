import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Balancer, Candidates, Target } from '../../plugins/upstreams/contract.ts'
import type { HealthSource } from '../../plugins/upstreams/health-source.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { seededDice } from '../support/dice.ts'
import { countPicks, leased, originOf, request } from './support.ts'

const boom = (): never => {
  throw new Error('boom')
}

/** "users" of three targets, one of them in tier 1, and "others" of one; `faults` is what was told of policies. */
function world() {
  const faults: [who: string, message: string][] = []
  const registry = new Registry(
    { now: () => 0, random: seededDice(3) },
    {
      users: {
        targets: [{ origin: originOf(0) }, { origin: originOf(1) }, { origin: originOf(2), tier: 1 }],
        capacity: 100,
      },
      others: { targets: [{ origin: originOf(9) }], capacity: 100 },
    },
    (error, who) => faults.push([who, (error as Error).message]),
  )
  const users = registry.upstream('users')
  const [stranger] = registry.upstream('others').targets as [Target]
  // It can be picked, there.
  leased(registry.upstream('others').lease(request())).release()
  return { registry, users, stranger, faults }
}

type Pick = (candidates: Candidates, all: ReturnType<typeof world>) => unknown

describe('a balancer that is broken hides nothing and fails no request', () => {
  const BROKEN: [what: string, pick: Pick, says: RegExp][] = [
    ['throws', boom, /boom/],
    ['picks nothing', () => undefined, /`pick` returned undefined/],
    ['picks a target of another upstream', (_, { stranger }) => stranger, /no candidate/],
    ['picks a target of another tier', (_, { users }) => users.targets[2], /no candidate/],
    ['picks a copy of a target', ([first]) => ({ ...first }), /no candidate/],
    ['picks a number', () => 0, /no candidate/],
    ['picks a promise', async ([first]) => first, /no candidate/],
  ]
  for (const [what, pick, says] of BROKEN) {
    it(`one that ${what}`, () => {
      const all = world()
      const { registry, users, faults } = all
      registry.defineBalancer('broken', () => ({ pick: (candidates) => pick(candidates, all) as Target }))
      registry.balance('users', 'broken', {})
      const counts = countPicks(users, 30)
      assert.equal(counts[2], 0, 'tier 1 is in reserve')
      assert.ok((counts[0] as number) > 0 && (counts[1] as number) > 0, String(counts))
      assert.ok(faults.length > 0)
      assert.equal(faults[0]?.[0], 'the balancer "broken" of the upstream "users"')
      assert.match(faults[0]?.[1] as string, says)
    })
  }

  it('one that is told of things and throws', async () => {
    const { registry, users, faults } = world()
    const told: Partial<Balancer> = { onTargets: boom, onInflight: boom, onOutcome: boom }
    registry.defineBalancer('deaf', () => ({ ...told, pick: ([first]) => first }))
    registry.balance('users', 'deaf', {})
    const lease = leased(users.lease(request()))
    lease.settle({ kind: 'answered', status: 200, latencyMs: 1 })
    lease.release()
    assert.equal(lease.target.inflight, 0)
    await users.drain(users.targets[0] as Target)
    assert.deepEqual(countPicks(users, 10), [0, 10, 0], 'the targets that there are now are used')
    assert.ok(faults.every(([who]) => who === 'the balancer "deaf" of the upstream "users"'))
  })

  it('one that cannot be made', () => {
    const { registry, users, faults } = world()
    registry.defineBalancer('unmade', boom)
    registry.balance('users', 'unmade', {})
    assert.deepEqual(countPicks(users, 10), [5, 5, 0])
    assert.deepEqual(faults, [['the balancer "unmade" of the upstream "users"', 'boom']])
  })

  it('and one that is not broken is not spoken of: it may name what is full, tried or gone', async () => {
    const { registry, users, faults } = world()
    const [first] = users.targets as [Target]
    registry.defineBalancer('stubborn', () => ({ pick: () => first }))
    registry.balance('users', 'stubborn', {})
    assert.equal(leased(users.lease(request())).target, first)
    assert.notEqual(leased(users.lease(request([first]))).target, first)
    assert.deepEqual(faults, [])
  })
})

describe('a health source that is broken has no opinion', () => {
  for (const hook of ['allows', 'share', 'trusts', 'admit', 'onOutcome'] as const) {
    it(`one whose ${hook} throws`, () => {
      const { registry, users, faults } = world()
      const source: HealthSource = { name: 'mine', allows: () => true, [hook]: boom }
      registry.addHealthSource(source)
      const lease = leased(users.lease({ ...request(), repeatable: false }))
      lease.settle({ kind: 'answered', status: 200, latencyMs: 1 })
      lease.release()
      assert.deepEqual(registry.opinionsOn(lease.target), [])
      assert.ok(faults.length > 0)
      assert.deepEqual(faults[0], ['the health source "mine"', 'boom'])
    })
  }

  it('one whose veto throws: what it does not allow is unhealthy', () => {
    const { registry, users, faults } = world()
    registry.addHealthSource({ name: 'mine', allows: (target) => target.tier > 0, veto: boom })
    assert.deepEqual(countPicks(users, 5), [0, 0, 5])
    assert.equal(registry.opinionsOn(users.targets[0] as Target)[0]?.veto, 'unhealthy')
    assert.deepEqual(faults[0], ['the health source "mine"', 'boom'])
  })

  it('one whose share is no number', () => {
    const { registry, users, faults } = world()
    registry.addHealthSource({ name: 'mine', allows: () => true, share: () => Number.NaN })
    assert.deepEqual(countPicks(users, 10), [5, 5, 0])
    assert.match(faults[0]?.[1] as string, /`share` returned NaN/)
  })

  it('and the others keep theirs', () => {
    const { registry, users } = world()
    registry.addHealthSource({ name: 'mine', allows: boom })
    registry.addHealthSource({ name: 'sound', allows: (target) => target !== users.targets[0] })
    const [vetoed, other] = countPicks(users, 10) as [number, number]
    assert.equal(vetoed, 0)
    assert.ok(other > 0)
  })
})

it('who hears of targets and fails keeps nobody from adding one, nor from hearing of it', () => {
  const { registry, users, faults } = world()
  const heard: string[] = []
  registry.onTargetChange(boom)
  registry.onTargetChange(({ kind }) => heard.push(kind))
  users.add({ origin: originOf(20) })
  assert.deepEqual(heard, ['added'])
  assert.equal(faults[0]?.[1], 'boom')
})
