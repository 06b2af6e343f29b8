import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { seededDice } from '../support/dice.ts'
import { originOf } from '../upstreams/support.ts'
import { ERROR, OK, watch } from './support.ts'

/** One after the other, so that each fails while those after it are well. */
const failEach = (watched: ReturnType<typeof watch>): void => {
  for (const index of watched.targets.keys()) watched.repeat(index, 5, ERROR)
}

describe('the cap', () => {
  it('leaves one: what fails now gives its place to the one that has been out longest', () => {
    const watched = watch()
    watched.repeat(0, 5, ERROR)
    watched.pass(1)
    watched.repeat(1, 5, ERROR)
    watched.pass(1)
    watched.repeat(2, 5, ERROR)
    assert.deepEqual(watched.in(), [true, false, false])
    assert.deepEqual(watched.told().slice(2), [
      'returned 0: another one fails, and the cap of 2 of 3 in tier 0 is reached',
      'ejected 2: 5 failures in a row',
    ])
  })

  it('gives each another try once an interval, where all fail, and no longer ejections for it', () => {
    const watched = watch()
    failEach(watched)
    for (let i = 0; i < 50; i++) for (const index of [0, 1, 2]) watched.repeat(index, 3, ERROR)
    assert.equal(watched.told('ejected').length, 2 + 3)
    watched.pass(10_000)
    for (let i = 0; i < 50; i++) for (const index of [0, 1, 2]) watched.repeat(index, 3, ERROR)
    assert.equal(watched.told('ejected').length, 2 + 3 + 3)
    assert.equal(watched.in().filter(Boolean).length, 1)
    watched.pass(30_000)
    assert.deepEqual(watched.in(), [true, true, true])
  })

  it('makes no room for what only compares badly', () => {
    const failurePercentage = { minTargets: 1, threshold: 0.7 }
    const watched = watch({ failurePercentage }, { tiers: [0, 0] })
    watched.repeat(0, 5, ERROR)
    for (let i = 0; i < 25; i++) watched.send(1, ERROR, ERROR, ERROR, ERROR, OK)
    watched.pass(10_000)
    assert.deepEqual(watched.in(), [false, true])
    assert.deepEqual(watched.told('would-eject'), [
      'would-eject 1: 80.0 % of 125 requests failed; the cap of 1 of 2 in tier 0 is reached',
    ])
  })

  it('never takes the only target of an upstream', () => {
    for (const maxEjected of [0.67, 1]) {
      const watched = watch({ maxEjected }, { tiers: [0] })
      failEach(watched)
      assert.deepEqual(watched.in(), [true])
      assert.deepEqual(watched.told(), [
        'would-eject 0: 5 failures in a row; the cap of all but one of the upstream is reached',
      ])
    }
  })

  it('is one of two', () => {
    const watched = watch({ maxEjected: 0.1 }, { tiers: [0, 0] })
    failEach(watched)
    assert.deepEqual(watched.in(), [true, false])
  })

  it('is counted by tier, but for the last one, which is that of the upstream', () => {
    const watched = watch({ maxEjected: 1 }, { tiers: [0, 0, 1, 1] })
    failEach(watched)
    assert.deepEqual(watched.in(), [true, false, false, false])
    assert.match(watched.told('returned')[0] ?? '', /all but one of the upstream/)
    const other = watch({}, { tiers: [0, 0, 1, 1] })
    failEach(other)
    assert.deepEqual(other.in(), [true, false, true, false])
  })

  it('takes the only one of a tier where another tier has one left, and nowhere else', () => {
    const primary = watch({}, { tiers: [0, 1] })
    primary.repeat(0, 5, ERROR)
    assert.deepEqual(primary.in(), [false, true])
    primary.repeat(1, 5, ERROR)
    assert.deepEqual(primary.in(), [true, false], 'the primary is tried again')
    const alone = watch({ maxEjected: 1 }, { tiers: [0] })
    alone.repeat(0, 5, ERROR)
    assert.deepEqual(alone.in(), [true])
  })

  it('ejects the one that had to wait as soon as there is room', () => {
    const watched = watch({}, { tiers: [0, 0] })
    failEach(watched)
    watched.repeat(0, 3, ERROR)
    watched.repeat(1, 3, ERROR)
    assert.deepEqual(watched.in(), [false, true])
    watched.registry.announce({
      name: 'healthy',
      upstream: 'users',
      target: watched.targets[0],
      by: 'health-check',
      why: '2 checks passed',
      level: 'info',
    })
    watched.send(0, OK)
    watched.send(1, ERROR)
    assert.deepEqual(watched.in(), [true, false])
  })

  it('leaves out targets that drain: they carry nothing', async () => {
    const watched = watch()
    void watched.users.drain(watched.targets[2] as never)
    watched.repeat(0, 5, ERROR)
    assert.deepEqual(watched.in(), [false, true, true], 'one of the two that are left')
    watched.repeat(1, 5, ERROR)
    watched.repeat(2, 5, ERROR)
    assert.deepEqual(watched.in(), [true, false, true])
    assert.match(watched.told('returned')[0] ?? '', /the cap of 1 of 2/)
    watched.users.undrain(watched.targets[2] as never)
    watched.send(2, OK)
    watched.repeat(0, 3, ERROR)
    assert.deepEqual(watched.in(), [false, false, true])
  })
})

describe('targets that come and go', () => {
  it('one removed while ejected is forgotten, and nothing is told of its return', async () => {
    const watched = watch()
    watched.repeat(0, 5, ERROR)
    await watched.users.remove(watched.targets[0])
    watched.pass(120_000)
    assert.deepEqual(watched.told('returned'), [])
    assert.equal(watched.users.eligible().length, 2)
    // Its place in the cap is free, and of two that are left one may go.
    watched.repeat(1, 5, ERROR)
    assert.deepEqual(watched.in().slice(1), [false, true])
    watched.send(0, ERROR, OK)
  })

  it('one added under the same origin begins afresh', async () => {
    const watched = watch()
    watched.repeat(0, 5, ERROR)
    await watched.users.remove(watched.targets[0])
    const again = watched.users.add({ origin: originOf(0) })
    assert.equal(watched.detector.allows(again), true)
    for (let i = 0; i < 4; i++) watched.detector.onOutcome(again, ERROR, watched.clock.now())
    assert.equal(watched.detector.allows(again), true)
    watched.detector.onOutcome(again, ERROR, watched.clock.now())
    assert.equal(watched.detector.allows(again), false)
  })

  it('when the last one that was in leaves, the ejected one that is due first comes back', () => {
    const watched = watch()
    watched.repeat(1, 5, ERROR)
    watched.pass(30_000)
    watched.repeat(1, 3, ERROR)
    watched.pass(1000)
    watched.repeat(0, 5, ERROR)
    assert.deepEqual(watched.in(), [false, false, true])
    void watched.users.drain(watched.targets[2] as never)
    assert.deepEqual(watched.in(), [true, false, true])
    assert.equal(watched.told('returned').at(-1), 'returned 0: no other target is left')
  })

  it('and that is not one that drains as well', () => {
    const watched = watch()
    watched.repeat(0, 5, ERROR)
    watched.pass(1000)
    watched.repeat(1, 5, ERROR)
    void watched.users.drain(watched.targets[0])
    void watched.users.drain(watched.targets[2] as never)
    assert.deepEqual(watched.in(), [false, true, true])
  })

  it('one that returns while it drains makes no room in the cap', () => {
    const watched = watch({}, { tiers: [0, 0, 0, 0] })
    watched.repeat(0, 5, ERROR)
    void watched.users.drain(watched.targets[0])
    watched.pass(30_000)
    assert.equal(watched.told('returned').length, 1)
    for (const index of [1, 2]) watched.repeat(index, 5, ERROR)
    watched.repeat(3, 4, ERROR)
    assert.deepEqual(watched.in().slice(1), [false, false, true])
    watched.repeat(3, 1, ERROR)
    assert.deepEqual(watched.in().slice(1), [true, false, false], 'two of three, as before')
  })

  it('one that drains is not ejected', () => {
    const watched = watch()
    void watched.users.drain(watched.targets[0])
    watched.repeat(0, 50, ERROR)
    assert.deepEqual(watched.told(), [])
  })
})

it('whatever happens, the cap holds and one target is left', () => {
  const step = fc.tuple(
    fc.nat(6),
    fc.constantFrom('fail', 'fail', 'fail', 'succeed', 'pass', 'drain', 'undrain', 'healthy'),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 9 }), (steps, seed) => {
      const tiers = [0, 0, 0, 0, 1, 1, 2]
      const options = { consecutive: { failures: 2 }, maxEjected: 0.67 }
      const watched = watch(options, { tiers, random: seededDice(seed) })
      for (const [index, what] of steps) {
        const target = watched.targets[index] as (typeof watched.targets)[0]
        if (what === 'fail') watched.repeat(index, 2, ERROR)
        else if (what === 'succeed') watched.send(index, OK)
        else if (what === 'pass') watched.pass(5000 * (index + 1))
        else if (what === 'drain') void watched.users.drain(target)
        else if (what === 'undrain') watched.users.undrain(target)
        else {
          const event = {
            name: 'healthy',
            upstream: 'users',
            target,
            by: 'x',
            why: '',
            level: 'info',
          } as const
          watched.registry.announce(event)
        }
        const serving = watched.targets.filter(({ draining }) => !draining)
        const out = serving.filter((target) => !watched.detector.allows(target))
        assert.ok(serving.length === 0 || out.length < serving.length, 'nothing is left')
      }
      // When time is up all are back, and nothing is owed.
      watched.pass(400_000)
      assert.ok(watched.in().every(Boolean))
      assert.equal(watched.told('ejected').length, watched.told('returned').length)
    }),
    { seed: 11, numRuns: 200 },
  )
})
