import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Proof } from '../../plugins/proof-of-life/proof.ts'
import { ProofOfLife } from '../../plugins/proof-of-life/source.ts'
import { UsualLatency } from '../../plugins/proof-of-life/usual-latency.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
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

describe('the usual latency', () => {
  it('follows RFC 6298', () => {
    const usual = new UsualLatency()
    assert.equal(usual.unusual(0), Number.POSITIVE_INFINITY, 'nothing is unusual while nothing is known')
    usual.add(100)
    assert.equal(usual.unusual(0), 100 + 4 * 50)
    usual.add(140)
    // deviation 50 + (40 - 50) / 4, smoothed 100 + 40 / 8
    assert.equal(usual.unusual(0), 105 + 4 * 47.5)
    assert.equal(usual.unusual(1000), 1000)
  })

  it('is not swept away by one answer that took a second, but follows if they all do', () => {
    const usual = new UsualLatency()
    for (let i = 0; i < 100; i++) usual.add(2)
    usual.add(1000)
    assert.ok(usual.unusual(0) < 10, `${usual.unusual(0)}`)
    for (let i = 0; i < 100; i++) usual.add(1000)
    assert.ok(usual.unusual(0) > 1000)
  })
})

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
    return { source, target, event: (name: string) => source.onEvent({ name, target }) }
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

  it('a first check that passes is no return', () => {
    const { source, target, event } = sourceOf()
    event('healthy')
    assert.equal(source.trusts(target), true)
    source.onEvent({ name: 'panic' })
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
