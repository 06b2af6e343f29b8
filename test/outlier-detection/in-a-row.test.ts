import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
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

describe('attempts overtaken in a row', () => {
  it('eject at the third', () => {
    const { repeat, told } = watch()
    repeat(0, 2, OVERTAKEN)
    assert.deepEqual(told(), [])
    repeat(0, 1, OVERTAKEN)
    assert.deepEqual(told(), ['ejected 0: overtaken 3 times in a row'])
  })

  it('are ended by any answer, not by a failure without one', () => {
    for (const answer of [OK, ERROR, status(429)]) {
      const { send, told } = watch()
      send(0, OVERTAKEN, OVERTAKEN, answer, OVERTAKEN, OVERTAKEN)
      assert.deepEqual(told(), [])
    }
    for (const none of [TIMED_OUT, REFUSED, LEFT]) {
      const { send, told } = watch()
      send(0, OVERTAKEN, OVERTAKEN, none, OVERTAKEN)
      assert.equal(told('ejected').length, 1)
    }
  })

  it('do not count among the failures in a row', () => {
    const { send, told } = watch({ consecutive: { failures: 2, overtaken: 4 } })
    send(0, OVERTAKEN, OVERTAKEN, OVERTAKEN, ERROR)
    assert.deepEqual(told(), [])
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
    const { repeat, send, told, pass, in: standing, events } = watch(ONLY)
    repeat(0, 50, ERROR)
    repeat(1, 3, OVERTAKEN)
    assert.deepEqual(told(), [
      'would-eject 0: 5 failures in a row; only told, as it is not enforced',
      'would-eject 1: overtaken 3 times in a row; only told, as it is not enforced',
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
