import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Binding } from '../../plugins/upstreams/binding.ts'
import type { LeaseRequest, Target } from '../../plugins/upstreams/contract.ts'
import { seededDice } from '../support/dice.ts'
import { assertShare } from '../support/statistics.ts'
import { countPicks, leased, opinion, registryOf, request } from './support.ts'

const N = 20_000

type House = ReturnType<typeof registryOf>

/** A house whose targets have shares and vetoes that the test sets. */
function house(tiers: readonly number[]) {
  const random = seededDice(11)
  const made = registryOf(tiers, { random })
  const said = opinion()
  made.registry.addHealthSource(said.source)
  return { ...made, ...said, random, targets: made.users.targets }
}

function place({ users }: Pick<House, 'users'>, more: Partial<LeaseRequest>): Target {
  const lease = leased(users.lease({ ...request(), ...more }))
  lease.release()
  return lease.target
}

describe('shares below 1', () => {
  it('of all targets alike leave each what the policy gives it: the surplus is nobody’s', () => {
    const { registry, users, targets, shares, random } = house([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    for (const target of targets) shares.set(target, 0.1)
    for (const count of countPicks(users, N)) assertShare(count, N, 0.1)
    registry.defineBalancer('dice', () => ({
      pick: (candidates) => candidates[Math.floor(random() * candidates.length)] ?? candidates[0],
    }))
    registry.balance('users', 'dice', {})
    for (const count of countPicks(users, N)) assertShare(count, N, 0.1)
  })

  it('of most of the targets leave the rest to the others, each as much', () => {
    const { users, targets, shares } = house([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    for (const target of targets.slice(0, 7)) shares.set(target, 0.1)
    const counts = countPicks(users, N)
    const [others, least] = [counts.slice(7), Math.min(...counts.slice(7))]
    for (const count of others) assert.ok(count < least * 1.1, `${counts}`)
    for (const count of counts.slice(0, 7)) assert.ok(count < least * 0.2, `${counts}`)
  })

  it('are shares of the keys where there are keys: each stays where it is, and grows with the share', () => {
    const { registry, users, targets, shares } = house([0, 0, 0])
    registry.defineBalancer('by-key', () => ({
      pick: (candidates, { key, tried }) => {
        const [, digit = '0'] = /(\d)$/.exec(key) ?? []
        const own = candidates[Number(digit) % candidates.length] as Target
        return tried.has(own) ? (candidates.find((one) => !tried.has(one)) ?? own) : own
      },
    }))
    registry.balance('users', 'by-key', {})
    const at = (): Target[] => Array.from({ length: 900 }, (_, i) => place({ users }, { key: `key-${i}` }))
    const first = targets[0] as Target
    let before = new Set<number>()
    for (const share of [0.1, 0.4, 1]) {
      shares.set(first, share)
      registry.changed(first)
      const one = at()
      assert.deepEqual(one, at(), 'the same key, the same target')
      const there = new Set(one.keys().filter((i) => one[i] === first))
      assert.ok(before.isSubsetOf(there), 'a key that has come does not leave again')
      before = there
    }
  })
})

describe('what no policy places', () => {
  it('is not all left to the neighbours of those that are busy', () => {
    const made = house([0, 0, 0, 0, 0, 0, 0, 0])
    // A policy that names only what may not be had: the registry looks itself.
    made.registry.defineBalancer('nobody', () => ({ pick: () => undefined as never }))
    made.registry.balance('users', 'nobody', {})
    for (let i = 0; i < 4; i++) {
      const lease = leased(
        made.users.lease({ ...request(), tried: new Set(made.targets.filter((_, other) => other !== i)) }),
      )
      assert.equal(lease.target, made.targets[i])
    }
    const counts = countPicks(made.users, N)
    for (const count of counts.slice(4)) assertShare(count, N, 1 / 4)
  })
})

describe('one whole target among thousands of which each gets next to nothing', () => {
  it('gets its part and not all that comes, and nobody is looked for among all', () => {
    for (const policy of ['in turn', 'random']) {
      const made = house(new Array(10_000).fill(0))
      const [first] = made.targets as [Target]
      for (const target of made.targets) made.shares.set(target, target === first ? 1 : 0.01)
      if (policy === 'random') {
        made.registry.defineBalancer('dice', () => ({
          pick: (candidates) => candidates[Math.floor(made.random() * candidates.length)] ?? candidates[0],
        }))
        made.registry.balance('users', 'dice', {})
      }
      made.users.eligible()
      let looks = 0
      for (const target of made.targets) {
        let inflight = 0
        Object.defineProperty(target, 'inflight', {
          get: () => {
            looks++
            return inflight
          },
          set: (value: number) => {
            inflight = value
          },
        })
      }
      const picks = Array.from({ length: 500 }, () => place(made, {}))
      assert.ok(picks.filter((one) => one === first).length < 500 * 0.1, policy)
      assert.ok(looks / 500 < 100, `${looks / 500} targets are looked at for each request`)
    }
  })
})

describe('a weight of 0', () => {
  const rounds = (made: Pick<House, 'users'>): Set<string> =>
    new Set(Array.from({ length: 50 }, () => place(made, {}).origin))

  it('keeps new requests away, whatever the policy and however little the others may take', () => {
    const made = house([0, 0])
    const [a, b] = made.targets as [Target, Target]
    made.users.setWeight(b, 0)
    made.shares.set(a, 0.1)
    made.registry.changed(a)
    assert.deepEqual([...rounds(made)], [a.origin])
    assert.deepEqual(made.users.eligible(), [a])
  })

  it('of a whole tier leaves it to the next', () => {
    const made = house([0, 1])
    made.users.setWeight(made.targets[0] as Target, 0)
    assert.deepEqual([...rounds(made)], [made.targets[1]?.origin])
  })

  it('counts for nothing where nobody else is left, or has any', () => {
    const made = house([0, 0])
    const [a, b] = made.targets as [Target, Target]
    made.users.setWeight(b, 0)
    made.vetoed.add(a)
    made.registry.changed(a)
    assert.deepEqual([...rounds(made)], [b.origin])
    made.vetoed.delete(a)
    made.registry.changed(a)
    made.users.setWeight(a, 0)
    assert.equal(rounds(made).size, 2)
  })

  it('comes before those that are believed to fail', () => {
    const made = registryOf([0, 0, 0], { panicThreshold: 0.5 })
    const [a, b, c] = made.users.targets as [Target, Target, Target]
    const { source, vetoed } = opinion()
    made.registry.addHealthSource(source)
    made.registry.addHealthSource({ name: 'doubt', allows: () => true, trusts: (target) => target === b })
    made.users.setWeight(b, 0)
    for (const target of [a, c]) {
      vetoed.add(target)
      made.registry.changed(target)
    }
    const [, atB = 0] = countPicks(made.users, 1000)
    assert.ok(atB > 700, `${atB} of 1000 go to the one that works`)
  })

  it('of a whole tier lets sessions go on', () => {
    const made = house([0, 1])
    const a = made.targets[0] as Target
    made.users.setWeight(a, 0)
    assert.equal(place(made, { binding: { target: a, key: 'x' } }), a)
    assert.notEqual(place(made, {}), a)
  })

  it('lets sessions go on', () => {
    const made = house([0, 0])
    const b = made.targets[1] as Target
    made.users.setWeight(b, 0)
    assert.equal(place(made, { binding: { target: b, key: 'x' } }), b)
  })
})

describe('a request of a session', () => {
  const bind = (target: Target | undefined, key = 'session-1'): { binding: Binding } => ({
    binding: { target, key },
  })

  it('goes home, however small the share there and however little it is trusted', () => {
    const made = house([0, 0, 0])
    const [a, b] = made.targets as [Target, Target]
    made.registry.addHealthSource({ name: 'doubt', allows: () => true, trusts: (target) => target !== a })
    made.shares.set(a, 0.01)
    made.registry.changed(a)
    for (let i = 0; i < 50; i++) {
      assert.equal(place(made, bind(a)), a)
      assert.equal(place(made, { ...bind(a), repeatable: false }), a)
    }
    assert.notEqual(place(made, { ...bind(a), tried: new Set([a]) }), a)
    assert.notEqual(place(made, { ...bind(a), tried: new Set([a]) }), undefined)
    assert.equal(place(made, bind(b)), b)
  })

  it('goes to the same stand-in while its target is away, and home when that is back', () => {
    const made = house([0, 0, 0, 0])
    const a = made.targets[0] as Target
    made.vetoed.add(a)
    made.registry.changed(a)
    const at = (i: number): Target => place(made, bind(a, `session-${i}`))
    const standIns = Array.from({ length: 3000 }, (_, i) => at(i))
    assert.deepEqual(
      Array.from({ length: 3000 }, (_, i) => at(i)),
      standIns,
    )
    for (const target of made.targets.slice(1))
      assertShare(standIns.filter((one) => one === target).length, 3000, 1 / 3)
    // One more goes: its sessions move, the others' do not.
    const b = made.targets[1] as Target
    made.vetoed.add(b)
    made.registry.changed(b)
    for (const [i, before] of standIns.entries()) if (before !== b) assert.equal(at(i), before)
    made.vetoed.clear()
    made.registry.changed(a)
    assert.equal(at(7), a)
  })

  it('stays in a tier that is in use, and leaves one that is in reserve', () => {
    const made = house([0, 1])
    const [main, spare] = made.targets as [Target, Target]
    assert.equal(place(made, bind(spare)), main)
    made.vetoed.add(main)
    made.registry.changed(main)
    assert.equal(place(made, bind(spare)), spare)
    assert.equal(place(made, bind(main)), spare)
  })

  it('goes to a stand-in while its target is believed to fail, panic or not, until there is proof that it works', () => {
    const made = registryOf([0, 0, 0, 0], { panicThreshold: 0.8 })
    const [a, b] = made.users.targets as [Target, Target]
    const { source, vetoed } = opinion()
    const proven = new Set(made.users.targets)
    made.registry.addHealthSource(source)
    made.registry.addHealthSource({
      name: 'proof',
      allows: () => true,
      trusts: (target) => proven.has(target),
    })
    for (const target of [a, b]) {
      vetoed.add(target)
      proven.delete(target)
      made.registry.changed(target)
    }
    const at = () => Array.from({ length: 1000 }, (_, i) => place(made, bind(a, `session-${i}`)))
    const standIns = at()
    assert.deepEqual(at(), standIns)
    const failing = standIns.filter((one) => one === a || one === b).length
    assert.ok(failing < 200, `${failing} of 1000 go to those that are believed to fail`)
    proven.add(a)
    for (const one of at()) assert.equal(one, a)
  })

  it('has the same stand-in whatever its method and however traffic spills over', () => {
    const made = house([0, 0, 0, 0, 1, 1, 1])
    const [a, b, c] = made.targets as [Target, Target, Target]
    const doubted = new Set<Target>()
    made.registry.addHealthSource({ name: 'doubt', allows: () => true, trusts: (one) => !doubted.has(one) })
    for (const target of [a, b]) {
      made.vetoed.add(target)
      made.registry.changed(target)
    }
    const at = (more: object) =>
      Array.from({ length: 300 }, (_, i) => place(made, { ...bind(a, `s-${i}`), ...more }))
    const before = at({})
    assert.ok(before.some(({ tier }) => tier === 1) && before.some(({ tier }) => tier === 0))
    assert.deepEqual(at({}), before)
    doubted.add(c)
    assert.deepEqual(at({ repeatable: false }), before)
  })

  it('of a target that was removed has a stand-in too', () => {
    const made = house([0, 0])
    const first = place(made, bind(undefined))
    for (let i = 0; i < 20; i++) assert.equal(place(made, bind(undefined)), first)
  })
})
