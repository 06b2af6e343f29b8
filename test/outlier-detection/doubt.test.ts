import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Doubt, noise, STEPS, shareStep } from '../../plugins/outlier-detection/doubt.ts'
import { seededDice } from '../support/dice.ts'
import { ERROR, OK, REFUSED, status, watch } from './support.ts'

/** Only the doubt: nothing is ejected. */
const ONLY_DOUBT = {
  consecutive: { enforce: false },
  failurePercentage: { enforce: false },
  successRate: { enforce: false },
}
type Watched = ReturnType<typeof watch>
const shares = ({ detector, targets }: Watched): number[] => targets.map((target) => detector.share(target))

describe('the average of successes', () => {
  it('forgives one failure and sees two in a row', () => {
    const doubt = new Doubt()
    doubt.failure(0)
    assert.equal(shareStep(doubt.ratio, 1), STEPS)
    doubt.failure(0)
    assert.ok(shareStep(doubt.ratio, 1) < STEPS)
  })

  it('is halfway back to 1 after five seconds of silence, and all the way after half a minute', () => {
    const doubt = new Doubt()
    for (let i = 0; i < 11; i++) doubt.failure(0)
    const lost = 1 - doubt.ratioAt(0)
    assert.ok(Math.abs(1 - doubt.ratioAt(5000) - lost / 2) < 1e-12)
    assert.ok(Math.abs(1 - doubt.ratioAt(10_000) - lost / 4) < 1e-12)
    assert.equal(doubt.ratioAt(35_000), 1)
  })

  it('loses with the next failure what silence gave, unless all is forgotten', () => {
    const [soon, late] = [new Doubt(), new Doubt()]
    for (const doubt of [soon, late]) for (let i = 0; i < 40; i++) doubt.failure(0)
    const before = soon.ratio
    soon.failure(10_000)
    assert.ok(soon.ratioAt(10_000) < before)
    late.failure(60_000)
    assert.equal(late.ratioAt(60_000), 15 / 16)
  })

  it('asks for the time only if there is a doubt, and is rid of it by successes', () => {
    const doubt = new Doubt()
    doubt.success(() => assert.fail('a target that is well looks at the clock'))
    for (let i = 0; i < 100; i++) doubt.failure(0)
    for (let i = 0; i < 80; i++) doubt.success(() => 0)
    assert.equal(doubt.ratio, 1)
  })

  it('survives any number of failures', () => {
    const doubt = new Doubt()
    for (let i = 0; i < 20_000; i++) doubt.failure(0)
    assert.ok(doubt.ratio > 0)
    assert.equal(shareStep(doubt.ratio, doubt.ratio), STEPS)
  })
})

describe('the share', () => {
  it('is the cube of the ratio below 0.9, and a twentieth at least', () => {
    const shown = [1, 0.95, 0.9, 0.89, 0.8, 0.5, 0.3, 0].map((ratio) => shareStep(ratio, 1) / STEPS)
    assert.deepEqual(shown, [1, 1, 1, 0.7, 0.5, 0.15, 0.05, 0.05])
  })

  it('is relative to the best, and whole where the difference is noise', () => {
    assert.equal(shareStep(0.4, 0.5), STEPS)
    assert.equal(shareStep(0.1, 0.5), 1)
    assert.equal(shareStep(0.001, 0.01), STEPS)
    assert.equal(noise(1), 0)
    assert.ok(Math.abs(noise(0.5) - 3 * Math.sqrt((2 * 0.25) / 31)) < 1e-12)
  })
})

describe('doubt', () => {
  it('thins a target that fails every other time, which no run of failures shows', () => {
    const watched = watch()
    for (let i = 0; i < 40; i++) {
      watched.send(0, ERROR, OK)
      watched.send(1, OK)
      watched.send(2, OK)
    }
    const [bad, ...others] = shares(watched)
    assert.ok((bad as number) <= 0.2, `share ${bad}`)
    assert.deepEqual(others, [1, 1])
    assert.deepEqual(watched.told(), [], 'a share is no event')
  })

  it('tells the registry only of steps: some twenty on the way down, none while it stays', () => {
    const watched = watch(ONLY_DOUBT)
    let changes = 0
    watched.registry.changed = () => {
      changes++
    }
    watched.repeat(1, 20, OK)
    watched.repeat(0, 500, ERROR)
    assert.ok(changes > 3 && changes <= STEPS, `${changes} changes`)
    const before = changes
    for (let i = 0; i < 50; i++) watched.send(0, OK, ERROR, ERROR)
    assert.equal(changes, before, 'a share that rises waits for the next look')
  })

  it('gives back the share with time, in steps that are told', () => {
    const watched = watch(ONLY_DOUBT)
    watched.repeat(1, 20, OK)
    watched.repeat(0, 50, ERROR)
    assert.equal(shares(watched)[0], 0.05)
    watched.pass(5000)
    assert.ok(shares(watched)[0]! > 0.05 && shares(watched)[0]! < 0.3)
    assert.equal(watched.targets[0].share, 1, 'nobody has looked yet')
    watched.users.eligible()
    assert.equal(watched.targets[0].share, shares(watched)[0])
    watched.pass(40_000)
    assert.deepEqual(shares(watched), [1, 1, 1])
    assert.equal(watched.detector.nextDue() % 10_000, 0, 'nothing is due but the sweep')
  })

  it('does not thin where all fail alike', () => {
    for (const ratio of [0, 0.5, 0.9]) {
      const watched = watch(ONLY_DOUBT)
      const random = seededDice(4)
      const sums = [0, 0, 0]
      for (let i = 0; i < 3000; i++) {
        watched.pass(5)
        for (const index of [0, 1, 2]) watched.send(index, random() < ratio ? OK : ERROR)
        for (const [index, share] of shares(watched).entries()) sums[index]! += share / 3000
      }
      for (const mean of sums) assert.ok(mean > 0.85, `mean shares ${sums} where ${ratio} succeed`)
    }
  })

  it('has nothing to tell where all fail alike and none is better', () => {
    const watched = watch(ONLY_DOUBT)
    watched.registry.changed = () => assert.fail('a share has changed')
    for (let i = 0; i < 100; i++) for (const index of [0, 1, 2]) watched.send(index, ERROR)
  })

  it('measures against targets that have traffic: silence is no virtue', () => {
    const watched = watch(ONLY_DOUBT)
    watched.send(2, OK)
    watched.pass(60_000)
    for (let i = 0; i < 100; i++) for (const index of [0, 1]) watched.send(index, ERROR)
    assert.deepEqual(shares(watched), [1, 1, 1])
  })

  it('holds again for one that stays bad when the trouble of all is over', () => {
    const watched = watch(ONLY_DOUBT)
    for (let i = 0; i < 300; i++) {
      watched.pass(10)
      for (const index of [0, 1, 2]) watched.send(index, ERROR)
    }
    assert.deepEqual(shares(watched), [1, 1, 1])
    for (let i = 0; i < 100; i++) {
      watched.pass(10)
      watched.send(0, ERROR)
      for (const index of [1, 2]) watched.send(index, OK)
    }
    assert.deepEqual(shares(watched), [0.05, 1, 1])
  })

  it('asks to be looked at sooner when it begins, and once', () => {
    const watched = watch(ONLY_DOUBT)
    const asked: number[] = []
    watched.detector.sooner = () => asked.push(watched.detector.nextDue())
    watched.repeat(1, 5, OK)
    watched.repeat(0, 20, ERROR)
    assert.deepEqual(asked, [500])
  })

  it('compares within a tier', () => {
    const watched = watch(ONLY_DOUBT, { tiers: [0, 0, 1] })
    watched.repeat(2, 100, OK)
    for (let i = 0; i < 50; i++) for (const index of [0, 1]) watched.send(index, ERROR)
    assert.deepEqual(shares(watched), [1, 1, 1])
  })

  it('is not measured against a target that is ejected', () => {
    const watched = watch({ ...ONLY_DOUBT, consecutive: { overtaken: 3, failures: 10_000 } })
    watched.spread(2, 3, { kind: 'abandoned', overtakenAfterMs: 200 })
    // It is slow, and that is why it is out; but it succeeds.
    watched.repeat(2, 100, status(200, 300))
    assert.equal(watched.in()[2], false)
    for (let i = 0; i < 100; i++) for (const index of [0, 1]) watched.send(index, ERROR)
    assert.deepEqual(shares(watched).slice(0, 2), [1, 1])
  })

  it('comes of refused connections too, not of a 429, and is off with doubt: false', () => {
    const refused = watch(ONLY_DOUBT)
    refused.repeat(1, 5, OK)
    refused.repeat(0, 20, REFUSED)
    assert.ok(shares(refused)[0]! < 0.2)
    const limited = watch(ONLY_DOUBT)
    limited.repeat(0, 20, status(429))
    assert.equal(shares(limited)[0], 1)
    const off = watch({ ...ONLY_DOUBT, doubt: false })
    off.repeat(1, 5, OK)
    off.repeat(0, 20, REFUSED)
    assert.equal(shares(off)[0], 1)
  })
})
