import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { integer, object } from '../../plugins/config/kit.ts'
import type { Target } from '../../plugins/upstreams/contract.ts'
import type { FailoverPolicy } from '../../plugins/upstreams/failover-policy.ts'
import { countPicks, leased, originOf, pickOnce, registryOf, request } from './support.ts'

/** Whether a promise is fulfilled already. */
async function fulfilled(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open')
  await new Promise((resolve) => setImmediate(resolve))
  return (await Promise.race([promise, Promise.resolve(open)])) !== open
}

describe('draining', () => {
  it('sends nothing new and resolves when the last one under way has ended', async () => {
    const { users } = registryOf([0, 0])
    const leases = [1, 2, 3, 4].map(() => leased(users.lease(request())))
    const target = users.targets[0] as Target
    const drained = users.drain(target)
    assert.equal(target.draining, true)
    assert.deepEqual(countPicks(users, 10), [0, 10])
    const own = leases.filter((lease) => lease.target === target)
    assert.equal(own.length, 2)
    own[0]?.release()
    assert.equal(await fulfilled(drained), false)
    own[1]?.release()
    assert.equal(await fulfilled(drained), true)
  })

  it('of an idle target is done at once, and undone by undrain', async () => {
    const { users } = registryOf([0])
    const target = users.targets[0] as Target
    await users.drain(target)
    assert.equal(users.lease(request()), 'empty')
    users.undrain(target)
    assert.equal(pickOnce(users), 0)
  })

  it('of the whole of tier 0 moves its traffic to tier 1', async () => {
    const { users } = registryOf([0, 1])
    await users.drain(users.targets[0] as Target)
    assert.deepEqual(countPicks(users, 5), [0, 5])
  })
})

describe('removing', () => {
  it('drains, then forgets', async () => {
    const { users } = registryOf([0, 0])
    const lease = leased(users.lease(request()))
    const { target } = lease
    const removed = users.remove(target)
    assert.equal(await fulfilled(removed), false)
    assert.equal(users.targets.length, 2, 'it is still there while it finishes what it has')
    lease.release()
    await removed
    assert.equal(users.targets.includes(target), false)
    assert.throws(() => users.setWeight(target, 2), /is no target of upstream "users"/)
    users.add({ origin: target.origin })
  })

  it('is called off by undrain, and done once when two ask for it', async () => {
    const { registry, users } = registryOf([0, 0])
    const changes: string[] = []
    registry.onTargetChange(({ kind, target }) => changes.push(`${kind} ${target.origin}`))
    const lease = leased(users.lease(request()))
    const { target } = lease
    const both = [users.remove(target), users.remove(target)]
    users.undrain(target)
    lease.release()
    await Promise.all(both)
    assert.equal(users.targets.length, 2)
    await Promise.all([users.remove(target), users.remove(target)])
    assert.equal(users.targets.length, 1)
    const { origin } = target
    assert.deepEqual(changes, [
      `draining ${origin}`,
      `changed ${origin}`,
      `draining ${origin}`,
      `removed ${origin}`,
    ])
  })
})

describe('adding', () => {
  it('has defaults, and is told', () => {
    const { registry, users } = registryOf([0])
    const changes: string[] = []
    registry.onTargetChange(({ kind, target }) => changes.push(`${kind} ${target.origin}`))
    const target = users.add({ origin: 'unix:/run/app.sock' })
    assert.deepEqual([target.weight, target.tier, target.upstream, target.inflight], [1, 0, 'users', 0])
    assert.deepEqual(changes, ['added unix:/run/app.sock'])
    assert.deepEqual(countPicks(users, 4), [2, 2])
  })

  const BAD: [origin: string, says: RegExp][] = [
    [originOf(0), /has a target "http:\/\/10\.0\.0\.1:8080" already/],
    ['HTTP://10.0.0.1:8080', /already/],
    ['10.0.0.1', /is no origin; write "http:/],
    ['ftp://10.0.0.1', /a scheme that is not spoken/],
    ['http://10.0.0.9/', /has a path; write "http:\/\/10\.0\.0\.9"/],
    ['http://10.0.0.9/v2', /has a path/],
    ['http://10.0.0.9?x=1', /has a path/],
    ['http://u:p@10.0.0.9', /holds credentials/],
    ['http://10.0.0.9?', /no plain origin; write "http:\/\/10\.0\.0\.9"/],
    ['http://@10.0.0.9', /no plain origin/],
    [' http://10.0.0.9', /no plain origin/],
    ['http:10.0.0.9', /no plain origin/],
    ['unix:', /names no socket/],
    ['unix:relative.sock', /names no socket/],
  ]
  for (const [origin, says] of BAD) {
    it(`refuses "${origin}"`, () => {
      const { users } = registryOf([0])
      assert.throws(() => users.add({ origin }), says)
      assert.equal(users.targets.length, 1)
    })
  }

  it('says nothing of credentials but that they are there', () => {
    const { users } = registryOf([0])
    assert.throws(
      () => users.add({ origin: 'http://u:hunter2@10.0.0.9' }),
      (error: Error) => !error.message.includes('hunter2'),
    )
  })

  it('refuses weights and tiers that are none', () => {
    const { users } = registryOf([0])
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1_000_001, 1.7e308]) {
      assert.throws(() => users.add({ origin: originOf(5), weight }), /weight must be 0 or more/)
      assert.throws(() => users.setWeight(users.targets[0] as Target, weight), /weight must be 0 or more/)
    }
    for (const tier of [-1, 0.5, 10]) {
      assert.throws(() => users.add({ origin: originOf(5), tier }), /tier must be a whole number from 0 to 9/)
    }
  })
})

describe('the registry', () => {
  it('takes targets in turn where nobody has said how', () => {
    const { users } = registryOf([0, 0, 0])
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map(() => pickOnce(users)),
      [0, 1, 2, 0, 1, 2],
    )
  })

  it('uses a balancer that is defined after it was asked for, with its options', () => {
    const { registry, users } = registryOf([0, 0])
    registry.balance('users', 'nth', { n: 1 })
    assert.equal(pickOnce(users), 0)
    registry.defineBalancer(
      'nth',
      (_context, { n }: { n: number }) => ({ pick: (candidates) => candidates[n] ?? candidates[0] }),
      object({ n: integer() }),
    )
    assert.deepEqual(countPicks(users, 5), [0, 5])
  })

  it('knows each name once', () => {
    const { registry } = registryOf([0])
    const create = () => ({ pick: (candidates: readonly [Target, ...Target[]]) => candidates[0] })
    registry.defineBalancer('mine', create)
    assert.throws(() => registry.defineBalancer('mine', create), /"mine" is defined already/)
    const failover: FailoverPolicy = { decide: () => ({ retry: false }) }
    registry.useFailover(failover)
    assert.equal(registry.failover, failover)
    assert.throws(() => registry.useFailover(failover), /there can be one/)
  })

  it('tells what is held against a target, and by whom', () => {
    const { registry, users } = registryOf([0, 0])
    const [first, second] = users.targets as [Target, Target]
    registry.addHealthSource({ name: 'content', allows: () => true })
    registry.addHealthSource({ name: 'strict', allows: (target) => target !== first })
    registry.addHealthSource({ name: 'new', allows: (target) => target !== first, veto: () => 'unchecked' })
    registry.addHealthSource({ name: 'gentle', allows: () => true, share: () => 0.4 })
    assert.deepEqual(registry.opinionsOn(first), [
      { by: 'strict', veto: 'unhealthy', share: 1 },
      { by: 'new', veto: 'unchecked', share: 1 },
      { by: 'gentle', veto: undefined, share: 0.4 },
    ])
    assert.deepEqual(registry.opinionsOn(second), [{ by: 'gentle', veto: undefined, share: 0.4 }])
  })

  it('says which upstream there is none of', () => {
    const { registry } = registryOf([0])
    assert.throws(() => registry.upstream('user'), /no upstream is named "user"/)
    assert.throws(() => registry.balance('user', 'random', {}), /no upstream is named "user"/)
  })
})
