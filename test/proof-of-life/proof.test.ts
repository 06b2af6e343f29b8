import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Proof } from '../../plugins/proof-of-life/proof.ts'
import { ProofOfLife } from '../../plugins/proof-of-life/source.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { UsualLatency } from '../../plugins/upstreams/usual-latency.ts'
import { virtualClock } from '../support/dice.ts'
import { testTarget } from '../support/test-targets.ts'

const OPTIONS = { answers: 3, lapse: 10_000, atLeast: 10 }
const IDLE = { waiting: 0, quietSince: 0 }
const ok = (latencyMs = 2): Outcome => ({ kind: 'answered', status: 200, latencyMs })
const status = (code: number): Outcome => ({ kind: 'answered', status: code, latencyMs: 1 })
const failed = (reason: 'reset' | 'connect' | 'timeout' | 'overflow'): Outcome => ({
  kind: 'failed',
  reason,
  requestSent: reason !== 'connect',
  latencyMs: 1,
})

/** A target that has answered well for a while. */
function proven(): Proof {
  const proof = new Proof(OPTIONS)
  for (let i = 0; i < 50; i++) proof.heard(ok(2 + (i % 3)), i)
  return proof
}

describe('proof of life', () => {
  it('is not asked for while nothing speaks against a target', () => {
    assert.equal(new Proof(OPTIONS).holds(IDLE, 0), true)
    assert.equal(proven().holds(IDLE, 1e9), true)
  })

  const AGAINST: [string, Outcome][] = [
    ['an error', status(500)],
    ['a 503', status(503)],
    ['a reset', failed('reset')],
    ['a refused connection', failed('connect')],
    ['a time-out', failed('timeout')],
    ['being overtaken', { kind: 'abandoned', overtakenAfterMs: 6 }],
  ]
  for (const [name, outcome] of AGAINST) {
    it(`is gone with ${name}, until three good answers in a row`, () => {
      const proof = proven()
      proof.heard(outcome, 100)
      assert.equal(proof.holds(IDLE, 100), false)
      proof.heard(ok(), 101)
      proof.heard(ok(), 102)
      proof.heard(outcome, 103)
      for (let i = 0; i < 2; i++) proof.heard(ok(), 104)
      assert.equal(proof.holds(IDLE, 104), false)
      proof.heard(ok(), 105)
      assert.equal(proof.holds(IDLE, 105), true)
    })
  }

  const SILENT: [string, Outcome][] = [
    ['a client that leaves', { kind: 'abandoned' }],
    ['a full queue of ours', failed('overflow')],
    ['a 404', status(404)],
    ['a 429', status(429)],
    ['what it does not implement', status(501)],
  ]
  for (const [name, outcome] of SILENT) {
    it(`stays with ${name}`, () => {
      const proof = proven()
      proof.heard(outcome, 100)
      assert.equal(proof.holds(IDLE, 100), true)
    })
  }

  it('lapses later each time that it lapsed wrongly, and as before once it was given', () => {
    const proof = proven()
    let now = 100
    for (const lapse of [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      proof.heard(failed('reset'), now)
      proof.heard(failed('reset'), now)
      now += lapse
      assert.equal(proof.holds(IDLE, now - 1), false, `${lapse} ms`)
      assert.equal(proof.holds(IDLE, now), true, `${lapse} ms`)
    }
    for (let i = 0; i < 3; i++) proof.heard(ok(), now)
    proof.heard(failed('reset'), now)
    assert.equal(proof.holds(IDLE, now + 10_000), true)
  })

  it('is gone when requests wait in more silence than is usual, and back with the first sound', () => {
    const proof = proven()
    const target = { waiting: 1, quietSince: 1000 }
    assert.equal(proof.holds(target, 1010), true)
    assert.equal(proof.holds(target, 1011), false)
    assert.equal(proof.holds({ ...target, waiting: 0 }, 1011), true, 'nobody waits: silence says nothing')
    assert.equal(proof.holds({ ...target, quietSince: 1011 }, 1012), true)
  })

  it('is gone when a client has given up after more silence than is usual, unless others were answered meanwhile', () => {
    const givenUp: Outcome = { kind: 'abandoned', silentMs: 500 }
    const proof = proven()
    proof.heard(givenUp, 1000, 995)
    assert.equal(proof.holds(IDLE, 1000), true, 'it answered 5 ms ago')
    proof.heard({ kind: 'abandoned', silentMs: 5 }, 1000, 0)
    assert.equal(proof.holds(IDLE, 1000), true, 'he did not wait long')
    proof.heard(givenUp, 1000, 500)
    assert.equal(proof.holds(IDLE, 1000), false)
  })

  it('is not given in advance where others of the tier have answered: one request at a time finds out', () => {
    const tier = new UsualLatency()
    const proof = new Proof(OPTIONS, tier)
    const target = { waiting: 1, quietSince: 1000 }
    assert.equal(proof.holds(target, 1900), true, 'nothing is known of anybody')
    assert.equal(proof.holds(target, 2001), false, 'a second is long all the same')
    tier.add(2)
    assert.equal(proof.holds(target, 1000), false)
    assert.equal(proof.holds(IDLE, 1000), true)
    proof.heard(ok(), 1002)
    assert.equal(proof.holds(target, 1001), true)
  })

  it('is given to one request at a time when doubt has lapsed', () => {
    const proof = proven()
    proof.heard(failed('reset'), 100)
    assert.equal(proof.holds(IDLE, 10_100), true)
    assert.equal(proof.holds({ waiting: 1, quietSince: 10_100 }, 10_100), false)
  })

  it('takes what is usual for the target as the measure: a slow one may take its time', () => {
    const proof = new Proof(OPTIONS)
    for (let i = 0; i < 50; i++) proof.heard(ok(400 + 20 * (i % 3)), i)
    assert.equal(proof.holds({ waiting: 1, quietSince: 1000 }, 1430), true)
    assert.equal(proof.holds({ waiting: 1, quietSince: 1000 }, 1700), false)
  })

  it('is not given by answers that are much slower than usual', () => {
    const proof = proven()
    proof.heard({ kind: 'abandoned', overtakenAfterMs: 100 }, 100)
    for (let i = 0; i < 3; i++) proof.heard(ok(1000), 101)
    assert.equal(proof.holds(IDLE, 101), false)
  })

  it('doubt lapses where there is no request that could dispel it', () => {
    const proof = proven()
    proof.heard(failed('reset'), 100)
    assert.equal(proof.holds(IDLE, 10_099), false)
    assert.equal(proof.holds(IDLE, 10_100), true)
  })
})

describe('who comes back', () => {
  function sourceOf() {
    const clock = virtualClock()
    const source = new ProofOfLife(clock, (upstream) => (upstream === 'contract' ? OPTIONS : undefined))
    const target = testTarget(1)
    const event = (name: string, by = 'checks') => source.onEvent({ name, target, by })
    return { source, target, clock, event }
  }

  for (const [gone, back] of [
    ['unhealthy', 'healthy'],
    ['ejected', 'returned'],
    ['breaker-opened', 'breaker-closed'],
  ] as const) {
    it(`after ${gone} has to prove itself`, () => {
      const { source, target, event } = sourceOf()
      event(gone)
      event(back)
      assert.equal(source.trusts(target), false)
      for (let i = 0; i < 3; i++) source.onOutcome(target, ok())
      assert.equal(source.trusts(target), true)
    })
  }

  for (const name of ['unhealthy', 'ejected', 'breaker-opened']) {
    it(`a target that is ${name} is not trusted for what it answered before, until it answers again`, () => {
      const { source, target, event, clock } = sourceOf()
      for (let i = 0; i < 50; i++) source.onOutcome(target, ok())
      event(name)
      assert.equal(source.trusts(target), false)
      clock.advance(3_600_000)
      assert.equal(source.trusts(target), false, 'nothing has spoken for it since')
      for (let i = 0; i < 3; i++) source.onOutcome(target, ok())
      assert.equal(source.trusts(target), true, 'panic has let it have some, and it works')
      source.onOutcome(target, failed('reset'))
      clock.advance(3_600_000)
      assert.equal(
        source.trusts(target),
        false,
        'doubt does not lapse as long as somebody says that it fails',
      )
    })
  }

  it('a target that two have taken out is not back with the first of them', () => {
    const { source, target, event, clock } = sourceOf()
    event('unhealthy', 'health-check')
    event('ejected', 'outlier-detection')
    event('returned', 'outlier-detection')
    clock.advance(3_600_000)
    assert.equal(source.trusts(target), false)
    event('healthy', 'health-check')
    clock.advance(3_600_000)
    assert.equal(source.trusts(target), true)
  })

  it('a first check that passes is no return', () => {
    const { source, target, event } = sourceOf()
    event('healthy')
    assert.equal(source.trusts(target), true)
    source.onEvent({ name: 'panic', by: 'upstreams' })
  })

  it('a target that is added has to prove itself; one that is removed is forgotten', () => {
    const { source, target } = sourceOf()
    source.onTargetChange({ kind: 'added', target })
    assert.equal(source.trusts(target), false)
    source.onTargetChange({ kind: 'draining', target })
    assert.equal(source.trusts(target), false)
    source.onTargetChange({ kind: 'removed', target })
    assert.equal(source.trusts(target), true)
  })

  it('nothing is kept for upstreams that do not want it', () => {
    const { source } = sourceOf()
    const other = testTarget(2, { upstream: 'other' })
    source.onOutcome(other, failed('reset'))
    assert.equal(source.trusts(other), true)
  })
})
