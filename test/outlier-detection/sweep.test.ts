import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERROR, OK, OVERTAKEN, status, watch } from './support.ts'

type Watched = ReturnType<typeof watch>

/** Failures that are never five in a row. */
function fail(watched: Watched, index: number, failures: number, successes: number): void {
  let left = successes
  for (let i = 0; i < failures; i++) {
    if (i % 4 === 0 && left-- > 0) watched.send(index, OK)
    watched.send(index, ERROR)
  }
  watched.repeat(index, left, OK)
}
const FIVE = { tiers: [0, 0, 0, 0, 0] }
/** So that runs of failures and the doubt stay out of it. */
const QUIET = { consecutive: { failures: 10_000, overtaken: 10_000 } }

describe('the sweep', () => {
  it('ejects by success rate: a target that fails a third where the others are fine', () => {
    const watched = watch({}, FIVE)
    for (const index of [0, 1, 2, 3]) watched.repeat(index, 100, OK)
    fail(watched, 4, 33, 67)
    watched.pass(9999)
    assert.deepEqual(watched.told(), [])
    watched.pass(1)
    assert.deepEqual(watched.told(), ['ejected 4: success rate 67.0 % against a mean of 93.4 %'])
  })

  it('ejects by failure percentage, in groups of two as well', () => {
    const watched = watch(QUIET, { tiers: [0, 0] })
    fail(watched, 0, 54, 6)
    watched.repeat(1, 50, OK)
    watched.pass(10_000)
    assert.deepEqual(watched.told(), ['ejected 0: 90.0 % of 60 requests failed'])
  })

  it('ejects by latency', () => {
    const watched = watch()
    for (const [index, ms] of [4, 5, 812].entries()) watched.repeat(index, 20, status(200, ms))
    watched.pass(10_000)
    assert.match(watched.told()[0] ?? '', /^ejected 2: latency 8\d\d ms against 4\.\d ms$/)
    assert.equal(watched.told().length, 1)
  })

  it('takes what was overtaken as slow, and at least as slow as it was waited for', () => {
    const watched = watch({ ...QUIET, failurePercentage: { threshold: 1 } })
    for (const index of [0, 1]) watched.repeat(index, 20, status(200, 4))
    watched.send(2, status(200, 190))
    watched.repeat(2, 19, OVERTAKEN)
    watched.pass(10_000)
    assert.match(watched.told()[0] ?? '', /^ejected 2: latency (19|20)\d ms/)
  })

  it('does not take fast failures for speed: those that work are not slow for it', () => {
    const watched = watch({ ...QUIET, failurePercentage: { threshold: 1 } })
    watched.repeat(0, 100, status(200, 80))
    for (const index of [1, 2]) {
      watched.repeat(index, 20, status(200, 80))
      watched.repeat(index, 60, status(500, 0.2))
    }
    watched.pass(10_000)
    assert.deepEqual(watched.told(), [])
  })

  it('counts each interval by itself: too few requests are too few, however many intervals there are', () => {
    const rates = watch(QUIET)
    const latencies = watch(QUIET)
    for (let round = 0; round < 4; round++) {
      rates.repeat(0, 30, ERROR)
      rates.repeat(1, 30, OK)
      rates.pass(10_000)
      for (const [index, ms] of [4, 5, 812].entries()) latencies.repeat(index, 10, status(200, ms))
      latencies.pass(10_000)
    }
    assert.deepEqual(rates.told(), [])
    assert.deepEqual(latencies.told(), [])
  })

  it('compares the targets of one tier only', () => {
    const watched = watch({}, { tiers: [0, 0, 0, 1, 1, 1] })
    for (const index of [0, 1, 2]) watched.repeat(index, 20, status(200, 4))
    for (const index of [3, 4, 5]) watched.repeat(index, 20, status(200, 400))
    watched.pass(10_000)
    assert.deepEqual(watched.told(), [])
  })

  it('keeps to the cap, the worst ones first', () => {
    const watched = watch(QUIET, { tiers: [0, 0, 0, 0] })
    fail(watched, 0, 90, 10)
    fail(watched, 1, 100, 0)
    fail(watched, 2, 95, 5)
    fail(watched, 3, 80, 20)
    watched.pass(10_000)
    assert.deepEqual(watched.in(), [true, false, false, true])
    assert.deepEqual(watched.told('would-eject'), [
      'would-eject 0: 90.0 % of 100 requests failed; the cap of 2 of 4 in tier 0 is reached',
    ])
  })

  it('ejects nobody where all fail alike', () => {
    const watched = watch(QUIET)
    for (const index of [0, 1, 2]) fail(watched, index, 90 + index, 10 - index)
    watched.pass(10_000)
    assert.deepEqual(watched.told(), [])
  })

  for (const out of ['ejected', 'draining'] as const) {
    it(`neither judges nor compares with a target that is ${out}`, () => {
      const watched = watch({ failurePercentage: { threshold: 0.7 } })
      for (let i = 0; i < 20; i++) for (const index of [0, 1]) watched.send(index, OK, ERROR, ERROR, ERROR)
      if (out === 'ejected') watched.repeat(0, 2, ERROR)
      else void watched.users.drain(watched.targets[0])
      watched.pass(10_000)
      const told = out === 'ejected' ? ['ejected 0: 5 failures in a row'] : []
      assert.deepEqual(watched.told(), told, 'one target alone is not compared')
    })
  }

  it('keeps its rhythm when there is nothing to do', () => {
    const { detector, pass, clock } = watch()
    assert.equal(detector.nextDue(), 10_000)
    pass(25_000)
    assert.equal(detector.nextDue(), 30_000)
    // A process that was stopped for a while sweeps once, and not once for each interval that it missed.
    clock.advance(100_000)
    detector.run(clock.now())
    assert.equal(detector.nextDue(), 135_000)
  })
})

describe('detect-only in the sweep', () => {
  const cases: readonly (readonly [key: string, cause: (watched: Watched) => void])[] = [
    [
      'successRate',
      (watched) => {
        for (const index of [0, 1, 2, 3]) watched.repeat(index, 100, OK)
        fail(watched, 4, 33, 67)
      },
    ],
    [
      'failurePercentage',
      (watched) => {
        fail(watched, 0, 45, 5)
        watched.repeat(1, 50, OK)
      },
    ],
    [
      'latency',
      (watched) => {
        for (const [index, ms] of [4, 5, 812].entries()) watched.repeat(index, 20, status(200, ms))
      },
    ],
  ]
  for (const [key, cause] of cases) {
    it(`${key}: says once a sweep what it would do, and does nothing`, () => {
      const watched = watch({ ...QUIET, [key]: { enforce: false } }, FIVE)
      for (let round = 1; round <= 3; round++) {
        cause(watched)
        watched.pass(10_000)
        assert.equal(watched.told('would-eject').length, round)
      }
      assert.equal(watched.told().length, 3)
      assert.ok(watched.in().every(Boolean))
      const enforced = watch(QUIET, FIVE)
      cause(enforced)
      enforced.pass(10_000)
      assert.equal(enforced.told('ejected').length, 1, 'the same does eject where it is enforced')
    })
  }

  it('gives way to one that is enforced', () => {
    const watched = watch({ ...QUIET, latency: { enforce: false } })
    for (const index of [0, 1]) watched.repeat(index, 60, status(200, 4))
    watched.repeat(2, 20, status(200, 900))
    watched.repeat(2, 200, ERROR)
    watched.pass(10_000)
    assert.deepEqual(watched.told(), ['ejected 2: 90.9 % of 220 requests failed'])
  })
})
