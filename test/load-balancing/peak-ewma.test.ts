import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LatencyEwma } from '../../plugins/load-balancing/load/latency-ewma.ts'
import { PeakEwmaLoad } from '../../plugins/load-balancing/load/peak-ewma.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { virtualClock } from '../support/dice.ts'

const DECAY = 10_000
const answered = (latencyMs: number): Outcome => ({ kind: 'answered', status: 200, latencyMs })
const refused = (status: number, retryAfterMs?: number): Outcome => ({
  kind: 'answered',
  status,
  latencyMs: 1,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})
const broken: Outcome = { kind: 'failed', reason: 'reset', requestSent: true, latencyMs: 1 }

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-6 * Math.max(1, expected), `${actual} is not ${expected}`)
}

function begin({ peak = true, count = 2 } = {}) {
  const clock = virtualClock()
  const ewma = new LatencyEwma(DECAY, peak)
  ewma.onTargets(new Int32Array(count).fill(-1), 0)
  return {
    ...clock,
    ewma,
    hear: (i: number, outcome: Outcome) => ewma.onOutcome(i, outcome, clock.now()),
    at: (i: number) => ewma.at(i, clock.now()),
  }
}

describe('peak EWMA', () => {
  it('takes a peak at once and comes down by e^(-t / decay)', () => {
    const { hear, at, advance } = begin()
    hear(0, answered(20))
    near(at(0), 20)
    hear(0, answered(500))
    near(at(0), 500)
    advance(3000)
    hear(0, answered(20))
    near(at(0), 500 * Math.exp(-0.3) + 20 * (1 - Math.exp(-0.3)))
  })

  it('without peaks goes up as it comes down', () => {
    const { hear, at, advance } = begin({ peak: false })
    hear(0, answered(20))
    advance(3000)
    hear(0, answered(500))
    near(at(0), 20 * Math.exp(-0.3) + 500 * (1 - Math.exp(-0.3)))
  })

  it('fades while nothing is heard, so that a target that was slow is tried again', () => {
    const { hear, at, advance } = begin()
    hear(0, answered(1000))
    advance(20_000)
    near(at(0), 1000 * Math.exp(-2))
  })

  it('a target that is seldom asked for its weight does not look fast because its latency has faded', () => {
    const { now, advance } = virtualClock()
    const ewma = new LatencyEwma(DECAY, true)
    const perWeight = [0.5, 4, 1000]
    ewma.onTargets(new Int32Array(3).fill(-1), 0, (i) => perWeight[i] as number)
    for (const i of [0, 1, 2]) ewma.onOutcome(i, answered(100), 0)
    advance(DECAY)
    near(ewma.at(0, now()), 100 * Math.exp(-2))
    near(ewma.at(1, now()), 100 * Math.exp(-1 / 4))
    near(ewma.at(2, now()), 100 * Math.exp(-1 / 10))
  })

  it('is not changed by being read', () => {
    const [looked, not] = [begin(), begin()]
    for (const one of [looked, not]) {
      one.hear(0, answered(300))
      for (let i = 0; i < 50; i++) {
        one.advance(100)
        if (one === looked) one.at(0)
      }
      one.hear(0, answered(100))
      one.advance(100)
    }
    assert.equal(looked.at(0), not.at(0))
    assert.equal(looked.at(0), looked.at(0))
  })

  it('begins at 10 ms, or at the mean of those that answer; the first answer replaces that', () => {
    const { ewma, hear, at, now } = begin({ count: 3 })
    near(at(0), 10)
    hear(0, answered(100))
    hear(1, answered(300))
    hear(2, broken)
    assert.ok(at(2) > 300)
    ewma.onTargets(Int32Array.of(0, 1, 2, -1), now())
    near(at(3), 200)
    hear(3, answered(5))
    near(at(3), 5)
  })

  it('keeps what it knows of a target under its new number, and forgets who has gone', () => {
    const { ewma, hear, at, now } = begin({ count: 3 })
    for (const [i, ms] of [10, 20, 30].entries()) hear(i, answered(ms))
    ewma.onTargets(Int32Array.of(2, 0), now())
    near(at(0), 30)
    near(at(1), 10)
    ewma.onTargets(Int32Array.of(0, 1, -1), now())
    near(at(2), 20)
  })

  for (const [name, outcome] of Object.entries({
    'a reset': broken,
    'a 500': refused(500),
    'a 503': refused(503),
    'a 429': refused(429),
  })) {
    it(`counts ${name} as ten usual latencies, and each further one in a row as twice that, up to 5 s`, () => {
      for (const peak of [true, false]) {
        const { hear, at } = begin({ peak })
        hear(1, answered(30))
        const counted = Array.from({ length: 7 }, () => {
          hear(0, outcome)
          return Math.round(at(0))
        })
        assert.deepEqual(counted, [300, 600, 1200, 2400, 4800, 5000, 5000])
        hear(0, answered(30))
        hear(0, outcome)
        assert.equal(Math.round(at(0)), 5000, 'what it has counted as fades with time only')
      }
    })
  }

  it('counts a 404 as an answer like any other', () => {
    const { hear, at } = begin()
    hear(0, refused(404))
    near(at(0), 1)
  })

  it('counts Retry-After as what it says, up to 300 s', () => {
    const { hear, at } = begin()
    hear(0, refused(503, 20_000))
    near(at(0), 20_000)
    hear(1, refused(429, 3_600_000))
    near(at(1), 300_000)
  })

  it('counts a failure as no less than it took', () => {
    const { hear, at } = begin()
    hear(0, { kind: 'failed', reason: 'timeout', requestSent: true, latencyMs: 30_000 })
    near(at(0), 30_000)
  })

  it('hears from an attempt that was overtaken that it took at least so long, and from others abandoned nothing', () => {
    const { hear, at } = begin()
    hear(0, answered(50))
    hear(0, { kind: 'abandoned' })
    near(at(0), 50)
    hear(0, { kind: 'abandoned', overtakenAfterMs: 20 })
    near(at(0), 50)
    hear(0, { kind: 'abandoned', overtakenAfterMs: 400 })
    near(at(0), 400)
  })

  it('costs latency x (requests under way + 1), requests by weight', () => {
    const load = new PeakEwmaLoad(DECAY, () => 0)
    load.onTargets(Int32Array.of(-1, -1), () => 1)
    load.onOutcome(0, answered(40), 0)
    near(load.cost(0, 3, 0), 160)
    near(load.cost(0, 1.5, 0), 100)
    near(load.cost(0, 0, DECAY), 40 / Math.E)
  })
})
