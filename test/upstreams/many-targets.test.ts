import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HealthSource, Target } from '../../plugins/upstreams/contract.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { leased, request } from './support.ts'

/** An upstream of so many targets, and a source that vetoes those that it is told. */
function upstreamOf(count: number) {
  const clock = virtualClock()
  const targets = Array.from({ length: count }, (_, i) => ({ origin: `http://10.0.${i >> 8}.${i & 255}:80` }))
  const registry = new Registry(
    { now: clock.now, random: seededDice(7) },
    { users: { targets, capacity: 100, panicThreshold: 0 } },
  )
  const users = registry.upstream('users')
  const down = new Set<Target>()
  const source: HealthSource = { name: 'test', allows: (target) => !down.has(target) }
  registry.addHealthSource(source)
  let builds = 0
  registry.defineBalancer('counting', ({ random }) => ({
    onTargets: () => void builds++,
    pick: (candidates) => candidates[Math.floor(random() * candidates.length)] as Target,
  }))
  registry.balance('users', 'counting', undefined)
  const pick = (): Target => {
    const lease = leased(users.lease(request()))
    lease.release()
    return lease.target
  }
  const turn = (target: Target, well: boolean): void => {
    if (well) down.delete(target)
    else down.add(target)
    registry.changed(target)
  }
  return { clock, users, pick, turn, builds: () => builds }
}

describe('thousands of targets', () => {
  it('cost no snapshot for every change: requests would do nothing else', () => {
    const { clock, users, pick, turn, builds } = upstreamOf(10_000)
    pick()
    const before = builds()
    for (let i = 0; i < 1000; i++) {
      turn(users.targets[i] as Target, i % 2 === 0)
      pick()
      clock.advance(1)
    }
    assert.ok(builds() - before <= 51, `${builds() - before} in a second`)
    assert.ok(builds() - before >= 40, `${builds() - before} in a second: news has to come through`)
  })

  it('that must not be used any more are not, from that moment on', () => {
    const { users, pick, turn } = upstreamOf(600)
    pick()
    const gone = users.targets.slice(0, 590)
    for (const target of gone) turn(target, false)
    for (let i = 0; i < 500; i++) assert.ok(!gone.includes(pick()))
    users.drain(users.targets[595] as Target)
    for (let i = 0; i < 500; i++) assert.notEqual(pick(), users.targets[595])
  })

  it('are looked at anew when none of those that were known is left', () => {
    const { users, pick, turn } = upstreamOf(600)
    for (const target of users.targets.slice(1)) turn(target, false)
    assert.equal(pick(), users.targets[0])
    turn(users.targets[0] as Target, false)
    turn(users.targets[1] as Target, true)
    assert.equal(pick(), users.targets[1])
    turn(users.targets[1] as Target, false)
    assert.equal(users.lease(request()), 'empty')
  })
})

describe('a few targets', () => {
  it('are told of every change at once', () => {
    const { users, pick, turn, builds } = upstreamOf(100)
    pick()
    const before = builds()
    for (let i = 0; i < 100; i++) {
      turn(users.targets[0] as Target, i % 2 === 1)
      pick()
    }
    assert.equal(builds() - before, 100)
  })
})
