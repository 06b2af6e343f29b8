import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LatencyHistogram, LatencyScale } from '../../plugins/upstreams/latency-histogram.ts'
import { SlidingLatencies } from '../../plugins/upstreams/latency-window.ts'

const ERRORS = [0.01, 0.02, 0.045, 0.05]
const latencies = fc.array(fc.double({ min: 0.011, max: 1_000_000, noNaN: true }), {
  minLength: 1,
  maxLength: 200,
})
const quantile = fc.double({ min: 0.001, max: 1, noNaN: true })

function exact(list: readonly number[], q: number): number {
  return list.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * list.length)) - 1] as number
}

function within(actual: number, expected: number, error: number): void {
  // A crumb for the floating point.
  assert.ok(Math.abs(actual / expected - 1) <= error * 1.000001, `${actual} is not ${expected} to ${error}`)
}

describe('the histogram', () => {
  it('gives the quantiles of the sorted samples, wrong by the error of its scale at most', () => {
    for (const error of ERRORS) {
      const scale = new LatencyScale(error)
      fc.assert(
        fc.property(latencies, quantile, (list, q) => {
          const histogram = new LatencyHistogram(scale)
          for (const ms of list) histogram.add(ms)
          assert.equal(histogram.count, list.length)
          within(histogram.quantile(q), exact(list, q), error)
        }),
        { seed: 5, numRuns: 200 },
      )
    }
  })

  it('counts what is off its scale at the ends, and no number breaks it', () => {
    const histogram = new LatencyHistogram(new LatencyScale(0.01))
    for (const ms of [0, -5, Number.NaN, 1e-9]) histogram.add(ms)
    within(histogram.quantile(1), 0.01, 0.01)
    for (const ms of [1e9, Number.POSITIVE_INFINITY, 1e12, 1e8, 1e7]) histogram.add(ms)
    within(histogram.quantile(0.9), 2 ** 20, 0.01)
    assert.equal(histogram.count, 9)
  })

  it('forgets all when it is cleared; without samples there is no quantile', () => {
    const histogram = new LatencyHistogram(new LatencyScale(0.02))
    assert.ok(Number.isNaN(histogram.quantile(0.5)))
    histogram.add(800)
    histogram.clear()
    assert.equal(histogram.count, 0)
    assert.ok(Number.isNaN(histogram.quantile(0.5)))
    histogram.add(2)
    within(histogram.quantile(1), 2, 0.02)
  })

  it('merged of two is the one that had all samples', () => {
    const scale = new LatencyScale(0.02)
    fc.assert(
      fc.property(latencies, latencies, quantile, (one, other, q) => {
        const [a, b, both] = [0, 0, 0].map(() => new LatencyHistogram(scale)) as [
          LatencyHistogram,
          LatencyHistogram,
          LatencyHistogram,
        ]
        for (const ms of one) a.add(ms)
        for (const ms of other) b.add(ms)
        for (const ms of [...one, ...other]) both.add(ms)
        a.merge(b)
        assert.equal(a.count, both.count)
        assert.equal(a.quantile(q), both.quantile(q))
        assert.equal(b.count, other.length, 'the one that is read is left as it was')
      }),
      { seed: 6, numRuns: 100 },
    )
  })

  it('takes memory for the range that is used, and never more than the scale has', () => {
    const scale = new LatencyScale(0.01)
    const histogram = new LatencyHistogram(scale)
    assert.equal(histogram.bytes, 0)
    for (let ms = 1; ms <= 100; ms++) histogram.add(ms)
    assert.ok(histogram.bytes <= 1088, `${histogram.bytes} bytes`)
    for (const ms of [1e-3, 1e9]) histogram.add(ms)
    assert.equal(histogram.bytes, 4 * scale.size)
    assert.ok(histogram.bytes < 3800, `${histogram.bytes} bytes`)
  })
})

describe('the sliding window', () => {
  const scale = new LatencyScale(0.02)
  const options = { scale, partMs: 1000, parts: 6 }

  it('holds what a list of the samples holds, at any time', () => {
    const steps = fc.array(
      fc.record({
        ms: fc.double({ min: 0.011, max: 1e6, noNaN: true }),
        pause: fc.oneof(fc.nat(400), fc.nat(9000)),
        failed: fc.boolean(),
      }),
      { minLength: 1, maxLength: 80 },
    )
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5000 }), quantile, (list, windowMs, q) => {
        let now = 1_234_567
        const window = new SlidingLatencies(options, now)
        const all: { ms: number; at: number; failed: boolean }[] = []
        for (const { ms, pause, failed } of list) {
          now += pause
          window.add(ms, now, failed)
          all.push({ ms, at: now, failed })
          const into = new LatencyHistogram(scale)
          const { count, failed: failures, forMs } = window.sum(windowMs, now, into)
          const from = (Math.floor(now / 1000) - Math.ceil(windowMs / 1000)) * 1000
          const held = all.filter(({ at }) => at >= from)
          assert.equal(count, held.length)
          assert.equal(failures, held.filter((one) => one.failed).length)
          assert.equal(forMs, Math.max(1, now - Math.max(from, 1_234_567)))
          assert.equal(into.count, count)
          within(
            into.quantile(q),
            exact(
              held.map((one) => one.ms),
              q,
            ),
            0.02,
          )
        }
      }),
      { seed: 7, numRuns: 100 },
    )
  })

  it('is empty, and divides by nothing, before the first sample and after a long silence', () => {
    const window = new SlidingLatencies(options, 0)
    assert.deepEqual(window.sum(5000, 0), { forMs: 1, count: 0, failed: 0 })
    window.add(5, 10)
    assert.deepEqual(window.sum(5000, 3_600_000), { forMs: 5000, count: 0, failed: 0 })
  })

  it('takes no harm from a clock that jumps', () => {
    const window = new SlidingLatencies(options, 10_000)
    window.add(5, 10_500)
    window.add(5, 2000)
    window.add(5, Number.NaN)
    assert.equal(window.sum(1000, 10_600).count, 3)
    window.add(5, 1e12)
    assert.equal(window.sum(5000, 1e12).count, 1)
    assert.equal(window.sum(5000, 1e12 - 9999).forMs, 1)
  })

  it('allocates with the first sample, and at most for all of the scale', () => {
    const window = new SlidingLatencies(options, 0)
    assert.equal(window.bytes, 48)
    for (const ms of [1, 1e9, 0]) window.add(ms, 1)
    assert.equal(window.bytes, 48 + 6 * 4 * scale.size)
  })
})
