import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Outcome, Target } from '../../plugins/upstreams/contract.ts'
import { ERROR, LEFT, OK, OVERTAKEN, optionsOf, REFUSED, status, TIMED_OUT, watch } from './support.ts'

describe('failures in a row', () => {
  it('eject at the fifth, at once, and it is told once', () => {
    const { send, repeat, told, events, in: standing } = watch()
    send(1, ERROR, REFUSED, TIMED_OUT, status(503))
    assert.deepEqual(standing(), [true, true, true])
    send(1, ERROR)
    assert.deepEqual(standing(), [true, false, true])
    repeat(1, 20, ERROR)
    assert.deepEqual(told(), ['ejected 1: 5 failures in a row'])
    assert.equal(events[0]?.by, 'outlier-detection')
    assert.equal(events[0]?.level, 'warn')
    assert.equal(events[0]?.upstream, 'users')
  })

  it('are ended by a success, and by nothing else', () => {
    const { send, repeat, told } = watch()
    repeat(0, 4, ERROR)
    send(0, OK)
    repeat(0, 4, ERROR)
    send(0, status(501))
    repeat(0, 4, ERROR)
    assert.deepEqual(told(), [])
    send(0, status(429), LEFT, OVERTAKEN, ERROR)
    assert.deepEqual(told(), ['ejected 0: 5 failures in a row'])
  })

  it('are counted by target', () => {
    const { repeat, told } = watch()
    for (const index of [0, 1, 2]) repeat(index, 4, ERROR)
    assert.deepEqual(told(), [])
  })

  it('take the target out of what is picked, and tell the registry', () => {
    const { users, repeat, targets } = watch()
    assert.equal(users.eligible().length, 3)
    repeat(1, 5, ERROR)
    assert.deepEqual(users.eligible(), [targets[0], targets[2]])
  })

  it('need not be five', () => {
    const { send, told } = watch({ consecutive: { failures: 1 } })
    send(2, ERROR)
    assert.deepEqual(told(), ['ejected 2: 1 failure'])
  })
})

describe('failures at all targets alike', () => {
  it('are no reason to eject any: it is the requests, or something behind all of them', () => {
    const { send, told } = watch()
    for (let i = 0; i < 50; i++) for (const index of [0, 1, 2]) send(index, ERROR)
    assert.deepEqual(told(), [])
    send(1, OK)
    send(0, ERROR)
    assert.deepEqual(told(), ['ejected 0: 51 failures in a row'], 'one of them does better')
    send(2, ERROR)
    assert.equal(told('ejected').length, 2)
    send(1, ERROR, ERROR, ERROR, ERROR)
    assert.equal(told('ejected').length, 2)
  })
})

describe('attempts overtaken in a row', () => {
  it('eject at the third, if there was no answer for 200 ms', () => {
    const { spread, repeat, told } = watch()
    spread(0, 2, OVERTAKEN)
    assert.deepEqual(told(), [])
    spread(0, 1, OVERTAKEN, 49)
    assert.deepEqual(told(), [], 'not quite')
    spread(0, 1, OVERTAKEN, 1)
    repeat(1, 50, OVERTAKEN)
    assert.deepEqual(told(), ['ejected 0: no answer 4 times in a row: overtaken or given up'])
  })

  it('do not if they come all at once: then it was rather we who slept', () => {
    const { repeat, send, pass, told } = watch()
    for (let i = 0; i < 10; i++) {
      for (const index of [0, 1, 2]) repeat(index, 50, OVERTAKEN)
      for (const index of [0, 1, 2]) send(index, OK)
      pass(1000)
    }
    assert.deepEqual(told(), [])
  })

  it('do not count if the target answered others while they waited: it is busy', () => {
    const { detector, targets, clock, send, told } = watch()
    for (let i = 0; i < 50; i++) {
      clock.advance(100)
      send(0, OK)
      clock.advance(1)
      detector.onOutcome(targets[0], OVERTAKEN, clock.now() - 100)
      detector.onOutcome(targets[0], OVERTAKEN, clock.now() - 100)
      detector.onOutcome(targets[0], OVERTAKEN, clock.now() - 100)
    }
    assert.deepEqual(told(), [])
  })

  it('are ended by any answer, not by a failure without one', () => {
    for (const answer of [OK, ERROR, status(429)]) {
      const { send, spread, told } = watch()
      spread(0, 2, OVERTAKEN)
      send(0, answer)
      spread(0, 2, OVERTAKEN)
      assert.deepEqual(told(), [])
    }
    for (const none of [TIMED_OUT, REFUSED, LEFT]) {
      const { send, spread, told } = watch()
      spread(0, 2, OVERTAKEN)
      send(0, none)
      spread(0, 1, OVERTAKEN)
      assert.equal(told('ejected').length, 1)
    }
  })

  it('need only be two since the target returned', () => {
    const { spread, pass, told } = watch()
    spread(0, 3, OVERTAKEN)
    pass(5000)
    spread(0, 2, OVERTAKEN, 500)
    assert.equal(told('ejected').length, 2)
  })

  it('eject at the first if that is wanted', () => {
    const { send, told } = watch({ consecutive: { overtaken: 1 } })
    send(0, OVERTAKEN)
    assert.deepEqual(told(), ['ejected 0: no answer once: overtaken or given up'])
  })

  it('do not count among the failures in a row', () => {
    const { send, spread, told } = watch({ consecutive: { failures: 2, overtaken: 4 } })
    spread(0, 3, OVERTAKEN)
    send(0, ERROR)
    assert.deepEqual(told(), [])
  })
})

describe('attempts given up by clients', () => {
  const givenUp = (silentMs: number): Outcome => ({ kind: 'abandoned', silentMs })

  /** Target 0 is silent for clients that wait for so long, while target 1 answers or not. */
  function silence(waitMs: number, { others = true, usualMs = 2 } = {}) {
    const watched = watch()
    const { detector, targets, clock, send } = watched
    for (let i = 0; i < 50; i++) for (const index of [0, 1, 2]) send(index, status(200, usualMs))
    for (let i = 0; i < 10; i++) {
      clock.advance(waitMs)
      if (others) detector.onOutcome(targets[1] as Target, status(200, 1), clock.now() - 1)
      detector.onOutcome(targets[0], givenUp(waitMs), clock.now() - waitMs)
    }
    return watched
  }

  it('eject a target that is silent for longer than is usual, while others answer', () => {
    assert.deepEqual(silence(1000).told(), ['ejected 0: no answer 3 times in a row: overtaken or given up'])
    assert.deepEqual(silence(5000).told().length, 1)
  })

  it('do not if nobody answers, if the wait was short, or if it was usual', () => {
    assert.deepEqual(silence(1000, { others: false }).told(), [])
    assert.deepEqual(silence(150).told(), [])
    assert.deepEqual(silence(400, { usualMs: 400 }).told(), [])
  })

  it('are no failures: no share is lost by them', () => {
    const { detector, targets } = silence(150)
    assert.equal(detector.share(targets[0]), 1)
  })
})

describe('a client that leaves', () => {
  it('changes nothing, however often', () => {
    const { repeat, told, pass, in: standing, detector, targets } = watch()
    repeat(0, 10_000, LEFT)
    pass(60_000)
    assert.deepEqual(told(), [])
    assert.deepEqual(standing(), [true, true, true])
    assert.equal(detector.share(targets[0]), 1)
  })

  it('neither adds to a run nor ends it', () => {
    const { send, repeat, told } = watch()
    repeat(0, 4, ERROR)
    repeat(0, 50, LEFT)
    assert.deepEqual(told(), [])
    send(0, ERROR)
    assert.equal(told('ejected').length, 1)
  })
})

describe('detect-only', () => {
  const ONLY = { consecutive: { enforce: false } }

  it('says what it would do, once an interval for each target, and does nothing', () => {
    const { repeat, spread, send, told, pass, in: standing, events } = watch(ONLY)
    repeat(0, 50, ERROR)
    spread(1, 3, OVERTAKEN)
    assert.deepEqual(told(), [
      'would-eject 0: 5 failures in a row; only told, as it is not enforced',
      'would-eject 1: no answer 3 times in a row: overtaken or given up; only told, as it is not enforced',
    ])
    assert.equal(events[0]?.level, 'warn')
    pass(8000)
    repeat(0, 5, ERROR)
    assert.equal(told().length, 2, 'said again within the interval')
    pass(2000)
    send(0, ERROR, ERROR)
    assert.equal(told().length, 3)
    assert.deepEqual(standing(), [true, true, true])
  })

  it('speaks of the next detection after one that is over', () => {
    const { repeat, send, told, pass } = watch(ONLY)
    repeat(0, 5, ERROR)
    send(0, OK)
    pass(30_000)
    assert.equal(told().length, 1)
    repeat(0, 5, ERROR)
    assert.equal(told().length, 2)
  })
})

describe('an upstream that is not watched', () => {
  it('is one with outlierDetection: false', () => assert.equal(optionsOf(false).enabled, false))

  it('is on by default, with the numbers of Envoy and ours', () => {
    assert.equal(optionsOf().enabled, true)
    assert.deepEqual(optionsOf().consecutive, { failures: 5, overtaken: 3, enforce: true })
    assert.equal(optionsOf().interval, 10_000)
  })
})
