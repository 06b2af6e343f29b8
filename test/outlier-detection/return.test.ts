import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadedDice } from '../support/dice.ts'
import { ERROR, OK, OVERTAKEN, status, watch } from './support.ts'

const healthy = (watched: ReturnType<typeof watch>, index: number, by = 'health-check', name = 'healthy') =>
  watched.registry.announce({
    name,
    upstream: 'users',
    target: watched.targets[index] as (typeof watched.targets)[0],
    by,
    why: '2 checks passed',
    level: 'info',
  })

/** Fails until it is ejected; how long it was out, in seconds. */
function eject(watched: ReturnType<typeof watch>, index = 0): number {
  for (let i = 0; i < 5 && watched.in()[index]; i++) watched.send(index, ERROR)
  assert.equal(watched.in()[index], false)
  const since = watched.clock.now()
  while (!watched.in()[index]) watched.pass(100)
  return Math.round((watched.clock.now() - since) / 1000)
}

describe('the end of an ejection', () => {
  it('comes after 30 s, exactly, and is told once', () => {
    const { repeat, pass, told, in: standing, events } = watch()
    repeat(0, 5, ERROR)
    pass(29_999)
    assert.deepEqual(standing(), [false, true, true])
    pass(1)
    assert.deepEqual(standing(), [true, true, true])
    assert.deepEqual(told('returned'), ['returned 0: its 30.0 s are over'])
    assert.equal(events.at(-1)?.level, 'info')
  })

  it('comes up to a tenth later, by the dice', () => {
    const { repeat, pass, in: standing } = watch({}, { random: loadedDice(0.5) })
    repeat(0, 5, ERROR)
    pass(31_499)
    assert.equal(standing()[0], false)
    pass(1)
    assert.equal(standing()[0], true)
  })

  it('comes later each time, up to 300 s, for a target that flaps', () => {
    const watched = watch()
    const out = Array.from({ length: 12 }, () => eject(watched))
    assert.deepEqual(out, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300])
    assert.equal(watched.told('ejected').length, 12)
    assert.equal(watched.told('returned').length, 12)
  })

  it('is earlier again by 30 s for each whole interval in which the target was in and well', () => {
    const watched = watch()
    for (let i = 0; i < 4; i++) eject(watched)
    watched.send(0, OK)
    // The first sweep ends an interval that it was not in for all of: nothing is forgotten. The next two do.
    watched.pass(29_000)
    assert.equal(eject(watched), 90)
  })

  it('does not get earlier by intervals in which something was found wrong', () => {
    for (const [failures, expected] of [
      [1, 30],
      [3, 90],
    ] as const) {
      const watched = watch({ failurePercentage: { threshold: 0.7, enforce: false } })
      eject(watched)
      eject(watched)
      for (let interval = 0; interval < 5; interval++) {
        for (let i = 0; i < 20; i++) watched.send(0, OK, ...Array(failures).fill(ERROR))
        watched.send(0, OK)
        watched.repeat(1, 50, OK)
        watched.pass(10_000)
      }
      assert.equal(watched.told('ejected').length, 2)
      assert.equal(eject(watched), expected)
    }
  })

  it('comes after 5 s for a target that was only silent, then after twice as long each time, up to what it is for others', () => {
    const watched = watch()
    const out: number[] = []
    for (let i = 0; i < 7; i++) {
      watched.spread(0, 3, OVERTAKEN)
      assert.equal(watched.in()[0], false)
      const since = watched.clock.now()
      while (!watched.in()[0]) watched.pass(100)
      out.push(Math.round((watched.clock.now() - since) / 1000))
    }
    assert.deepEqual(out, [5, 10, 20, 40, 80, 160, 210])
    const short = watch({ baseEjection: '1s' })
    short.spread(0, 3, OVERTAKEN)
    short.pass(1000)
    assert.equal(short.in()[0], true)
  })

  it('lets it begin afresh: what was counted before does not count', () => {
    const { repeat, send, pass, told } = watch()
    repeat(0, 5, ERROR)
    pass(30_000)
    send(0, OK)
    repeat(0, 4, ERROR)
    assert.equal(told('ejected').length, 1)
  })

  it('takes 3 failures instead of 5 to be undone, until the first success', () => {
    const { repeat, pass, told } = watch()
    repeat(0, 5, ERROR)
    pass(30_000)
    repeat(0, 2, ERROR)
    assert.equal(told('ejected').length, 1)
    repeat(0, 1, ERROR)
    assert.equal(told('ejected').at(-1), 'ejected 0: 3 failures in a row since it returned')
  })
})

describe('a target that has come back', () => {
  it('gets one request at a time until one succeeds, as long as somebody proven is left', () => {
    const watched = watch({}, { tiers: [0, 0, 1] })
    const [first] = watched.targets as unknown as [{ waiting: number }]
    const admitted = (): boolean => {
      watched.users.eligible()
      return watched.detector.admit(watched.targets[0])
    }
    first.waiting = 1
    assert.equal(admitted(), true, 'nothing was ever held against it')
    watched.repeat(0, 5, ERROR)
    watched.pass(30_000)
    assert.equal(admitted(), false)
    first.waiting = 0
    assert.equal(admitted(), true)
    first.waiting = 1
    watched.repeat(1, 5, ERROR)
    assert.equal(admitted(), false, 'the standby is left')
    void watched.users.drain(watched.targets[2] as never)
    assert.equal(admitted(), true)
    watched.users.undrain(watched.targets[2] as never)
    assert.equal(admitted(), false)
    watched.registry.addHealthSource({ name: 'checks', allows: (target) => target === watched.targets[0] })
    watched.registry.changed(watched.targets[2] as never)
    assert.equal(admitted(), true, 'the standby is not well, as somebody else has it')
    watched.send(0, OK)
    assert.equal(admitted(), true)
    first.waiting = 0
  })
})

describe('a health check', () => {
  it('that passes again returns the target at once', () => {
    const watched = watch()
    watched.repeat(0, 5, ERROR)
    healthy(watched, 0)
    assert.equal(watched.in()[0], true)
    assert.deepEqual(watched.told('returned'), ['returned 0: health-check says healthy: 2 checks passed'])
    watched.pass(120_000)
    assert.equal(watched.told('returned').length, 1)
  })

  it('says nothing by failing, of another target, or of one that is in; nor do our own words', () => {
    const watched = watch()
    watched.repeat(0, 5, ERROR)
    healthy(watched, 0, 'health-check', 'unhealthy')
    healthy(watched, 1)
    healthy(watched, 0, 'outlier-detection')
    watched.registry.announce({ name: 'healthy', upstream: 'users', by: 'x', why: '', level: 'info' })
    assert.deepEqual(watched.in(), [false, true, true])
    assert.deepEqual(watched.told('returned'), [])
  })
})

describe('successes of a target that is ejected', () => {
  it('return it after five in a row', () => {
    const { repeat, send, pass, told, in: standing } = watch()
    repeat(0, 5, ERROR)
    pass(1000)
    repeat(0, 4, OK)
    send(0, ERROR)
    repeat(0, 4, OK)
    send(0, OVERTAKEN)
    repeat(0, 4, OK)
    assert.equal(standing()[0], false)
    send(0, status(429), OK)
    assert.equal(standing()[0], true)
    assert.deepEqual(told('returned'), ['returned 0: 5 successes in a row while it was ejected'])
  })

  it('do not count if they were under way when it was ejected', () => {
    const { repeat, pass, in: standing } = watch()
    repeat(0, 5, ERROR)
    pass(100)
    repeat(0, 50, status(200, 101))
    assert.equal(standing()[0], false)
    repeat(0, 5, status(200, 99))
    assert.equal(standing()[0], true)
  })

  it('do not count if they are slow, where slowness was the reason', () => {
    const { repeat, spread, pass, in: standing } = watch()
    spread(0, 3, OVERTAKEN)
    pass(1000)
    repeat(0, 50, status(200, 200))
    assert.equal(standing()[0], false)
    repeat(0, 5, status(200, 199))
    assert.equal(standing()[0], true)
  })
})
