import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryAfter } from '../../plugins/failover/retry-after.ts'
import { retryAfter } from '../../plugins/transport/retry-after.ts'
import type { Outcome, Target } from '../../plugins/upstreams/contract.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { countPicks, originOf } from '../upstreams/support.ts'

const busy = (retryAfterMs?: number, status = 503): Outcome =>
  retryAfterMs === undefined
    ? { kind: 'answered', status, latencyMs: 1 }
    : { kind: 'answered', status, latencyMs: 1, retryAfterMs }

function setUp() {
  const clock = virtualClock()
  const targets = [0, 1, 2].map((i) => ({ origin: originOf(i) }))
  const registry = new Registry({ ...clock, random: seededDice(2) }, { users: { targets, capacity: 10 } })
  let changes = 0
  const source = new RetryAfter(
    clock,
    () => 30_000,
    (target) => {
      changes++
      registry.changed(target)
    },
  )
  registry.addHealthSource(source)
  const users = registry.upstream('users')
  return { clock, source, users, at: (i: number) => users.targets[i] as Target, changes: () => changes }
}

test('a target that asks to be left alone is sent next to nothing for as long as it says', () => {
  const { clock, source, users, at, changes } = setUp()
  source.onOutcome(at(0), busy(2000))
  const spared = countPicks(users, 2000)[0] as number
  assert.ok(spared > 0 && spared < 100, `${spared} of 2000`)
  clock.advance(1999)
  source.sweep()
  assert.equal(source.share(at(0)), 0.05)
  source.onOutcome(at(0), busy(2000))
  assert.equal(changes(), 1, 'it is spared longer, which changes nothing now')
  clock.advance(2000)
  source.sweep()
  assert.equal(changes(), 2)
  assert.equal(countPicks(users, 30)[0], 10)
})

test('where all targets ask for it, they share the traffic', () => {
  const { source, users, at } = setUp()
  for (const i of [0, 1, 2]) source.onOutcome(at(i), busy(2000))
  const counts = countPicks(users, 3000)
  assert.equal(
    counts.reduce((sum, one) => sum + one, 0),
    3000,
  )
  for (const count of counts) assert.ok(count > 800, `${counts}`)
})

test('a 503 without it, a 429, and a Retry-After of 0 spare nobody; none is spared for longer than allowed', () => {
  const { clock, source, at, changes } = setUp()
  source.onOutcome(at(0), busy())
  source.onOutcome(at(0), busy(5000, 429))
  source.onOutcome(at(0), busy(0))
  source.onOutcome(at(0), { kind: 'abandoned' })
  assert.equal(changes(), 0)
  source.onOutcome(at(0), busy(3_600_000))
  clock.advance(30_000)
  source.sweep()
  assert.equal(source.share(at(0)), 1)
})

test('what a Retry-After says', () => {
  const wall = () => Date.parse('2026-11-25T10:00:00Z')
  const of = (value: string | string[] | undefined) => retryAfter(value, wall)
  assert.equal(of('120'), 120_000)
  assert.equal(of('0'), 0)
  assert.equal(of('Wed, 25 Nov 2026 10:01:30 GMT'), 90_000)
  assert.equal(of('Wednesday, 25-Nov-26 10:01:30 GMT'), 90_000)
  assert.equal(of('Wed, 25 Nov 2026 09:00:00 GMT'), 0, 'it is over')
  for (const none of [undefined, '', '-1', '1.5', 'soon', ['1', '2']]) assert.equal(of(none), undefined)
})
