import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bad, breakerOf, left, ok } from './support.ts'

type Scene = ReturnType<typeof breakerOf>

/** When the attempts began that are under way still when it is half-open. */
const EARLIER = 0

/** Half-open, with so many attempts still out that began before it opened. */
function halfOpenWith(earlier: number, options: Parameters<typeof breakerOf>[0] = {}): Scene {
  const scene = breakerOf(options)
  assert.equal(scene.clock.now(), EARLIER)
  scene.admitted(earlier)
  scene.clock.advance(1)
  scene.attempts(10, bad())
  scene.halfOpen()
  assert.equal(scene.breaker.state, 'half-open')
  return scene
}

describe('a half-open breaker', () => {
  it('gives exactly as many permits as it has, however many ask at once', () => {
    assert.equal(halfOpenWith(0).admitted(1000), 1)
    assert.equal(halfOpenWith(0, { probes: 3 }).admitted(1000), 3)
    assert.equal(halfOpenWith(50, { probes: 3 }).admitted(1000), 3)
  })

  it('lets one more in when a probe takes long: an answer of minutes must not keep everybody out', () => {
    const { breaker, clock, admitted } = halfOpenWith(0)
    assert.equal(admitted(5), 1)
    clock.advance(999)
    assert.equal(admitted(5), 0)
    clock.advance(1)
    assert.equal(admitted(5), 1)
    breaker.settle(ok(), clock.now())
    assert.equal(admitted(5), 1)
    breaker.settle(ok(), clock.now())
    assert.equal(breaker.state, 'closed')
    breaker.settle(ok(), clock.now())
    assert.equal(breaker.state, 'closed', 'the long one ends')
  })

  it('wants anything at all when nothing that could be risked has come for openFor', () => {
    const { breaker, clock, attempt } = halfOpenWith(0)
    clock.advance(4999)
    assert.equal(breaker.starved, false)
    clock.advance(1)
    assert.equal(breaker.starved, true)
    attempt(ok())
    assert.equal(breaker.starved, false, 'one at a time')
    clock.advance(5000)
    attempt(ok())
    assert.equal(breaker.state, 'closed')
    assert.equal(breaker.starved, false)
  })

  it('closes when enough probes have succeeded', () => {
    const { breaker, told, attempt } = halfOpenWith(0)
    attempt(ok())
    assert.equal(breaker.state, 'half-open')
    attempt(ok())
    assert.deepEqual(told.slice(2), ['closed: 2 probes succeeded'])
  })

  it('opens again when one fails, and says so once', () => {
    const { breaker, told, attempt } = halfOpenWith(0)
    attempt(ok())
    attempt(bad())
    assert.equal(breaker.state, 'open')
    assert.deepEqual(told.slice(2), ['open: a probe failed'])
  })

  it('opens again when a probe was overtaken by a hedge', () => {
    const { breaker, attempt } = halfOpenWith(0)
    attempt({ kind: 'abandoned', overtakenAfterMs: 0 })
    assert.equal(breaker.state, 'open')
  })

  it('has its permit back when the client leaves, or another source refuses: no verdict', () => {
    const { breaker, admitted, clock } = halfOpenWith(0)
    for (let i = 0; i < 100; i++) {
      assert.equal(admitted(5), 1, `time ${i}`)
      breaker.settle(left, clock.now())
    }
    assert.equal(breaker.state, 'half-open')
    assert.equal(admitted(5), 1)
    breaker.settle({ kind: 'failed', reason: 'overflow', requestSent: false, latencyMs: 0 }, clock.now())
    assert.equal(breaker.state, 'half-open')
    assert.equal(admitted(5), 1)
  })

  it('starts over when it opens while a probe is out, whose outcome then is an earlier one’s', () => {
    const { breaker, admitted, clock, halfOpen, attempt } = halfOpenWith(0, { probes: 2 })
    const lastTime = clock.now()
    attempt(ok())
    assert.equal(admitted(3), 2)
    breaker.settle(bad(), lastTime)
    assert.equal(breaker.state, 'open')
    breaker.settle(ok(), lastTime)
    halfOpen()
    const began = clock.now()
    assert.equal(admitted(9), 2, 'no permit is missing, and none too many')
    clock.advance(10)
    // A probe of last time, answered at last; with a long body, it looks as if it had begun a moment ago.
    breaker.settle(ok(0), lastTime)
    assert.equal(admitted(9), 0, 'it had no permit of this time')
    breaker.settle(ok(10), began)
    assert.equal(breaker.state, 'half-open', 'its success was none, nor is that of last time one')
    breaker.settle(ok(10), began)
    assert.equal(breaker.state, 'closed')
  })

  it('that closes while probes are out heeds them no more', () => {
    const { breaker, admitted, clock, attempts } = halfOpenWith(0, { probes: 4, consecutive: 3 })
    const began = clock.now()
    assert.equal(admitted(9), 4)
    clock.advance(10)
    breaker.settle(ok(), began)
    breaker.settle(ok(), began)
    attempts(2, bad())
    breaker.settle(bad(), began)
    breaker.settle(ok(), began)
    assert.equal(breaker.state, 'closed', 'the late failure is none of three')
    attempts(1, bad())
    assert.equal(breaker.state, 'open', 'and the late success breaks no row')
  })
})

describe('attempts that began before', () => {
  it('time out by the hundred: neither reopen it nor give back permits', () => {
    const { breaker, admitted, clock, attempt } = halfOpenWith(200)
    const began = clock.now()
    assert.equal(admitted(9), 1)
    clock.advance(100)
    for (let i = 0; i < 200; i++) {
      breaker.settle({ kind: 'failed', reason: 'timeout', requestSent: true, latencyMs: 30_000 }, EARLIER)
      assert.equal(admitted(1), 0)
    }
    breaker.settle(ok(), began)
    attempt(ok())
    assert.equal(breaker.state, 'closed')
  })

  it('time out after it has closed: the outage that is over does not open it again', () => {
    const { breaker, attempts, clock } = halfOpenWith(200)
    attempts(2, ok())
    assert.equal(breaker.state, 'closed')
    for (let i = 0; i < 100; i++) breaker.settle(bad(5000), EARLIER)
    clock.advance(1000)
    for (let i = 0; i < 100; i++) breaker.settle({ kind: 'abandoned', overtakenAfterMs: 1 }, EARLIER)
    assert.equal(breaker.state, 'closed')
    attempts(9, bad())
    assert.equal(breaker.state, 'closed', 'nor do they count')
    attempts(1, bad())
    assert.equal(breaker.state, 'open')
  })

  it('end while no probe is out: it is none', () => {
    const { breaker, admitted, attempts } = halfOpenWith(20)
    // Long bodies: `latencyMs` is that of the head, so they look as if they had begun a moment ago.
    for (let i = 0; i < 10; i++) breaker.settle(ok(0), EARLIER)
    for (let i = 0; i < 5; i++) breaker.settle(left, EARLIER)
    for (let i = 0; i < 5; i++) breaker.settle(bad(0), EARLIER)
    assert.equal(breaker.state, 'half-open')
    assert.equal(admitted(9), 1, 'not one permit more')
    attempts(9, ok())
    assert.equal(breaker.state, 'half-open')
  })

  it('end while probes are out, whatever they come to: only the probes count', () => {
    const { breaker, admitted, clock, told } = halfOpenWith(3, { probes: 2 })
    const began = clock.now()
    assert.equal(admitted(9), 2)
    clock.advance(10)
    for (const outcome of [ok(0), bad(0), left]) {
      breaker.settle(outcome, EARLIER)
      assert.equal(breaker.state, 'half-open')
      assert.equal(admitted(9), 0)
    }
    breaker.settle(ok(), began)
    assert.equal(breaker.state, 'half-open')
    breaker.settle(ok(), began)
    assert.deepEqual(told.slice(2), ['closed: 2 probes succeeded'])
  })

  it('are streams that never end: it takes two probes all the same', () => {
    const { breaker, attempts } = halfOpenWith(3)
    attempts(2, ok())
    assert.equal(breaker.state, 'closed')
  })
})
