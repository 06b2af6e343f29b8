import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Bounds } from '../../plugins/metrics/recording/bounds.ts'
import { RESULTS } from '../../plugins/metrics/recording/traffic.ts'
import { ATTEMPTS } from '../../plugins/metrics/recording/upstream-series.ts'
import { answered, recorderFor } from './support.ts'

const result = (name: (typeof RESULTS)[number]): number => RESULTS.indexOf(name)
const attempt = (name: (typeof ATTEMPTS)[number]): number => ATTEMPTS.indexOf(name)

describe('buckets', () => {
  it('count what is up to their bound, and tell exactly what is above one', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.oneof(fc.integer({ min: 0, max: 600 }), fc.double({ min: 0, max: 600, noNaN: true }))),
        (bounds, durations) => {
          const histogram = new Bounds(bounds).histogram()
          for (const ms of durations) histogram.add(ms)
          for (const bound of bounds)
            assert.equal(histogram.above(bound), durations.filter((ms) => ms > bound).length, `${bound}`)
          assert.equal(histogram.total, durations.length)
          const sum = durations.reduce((total, one) => total + one, 0)
          assert.ok(Math.abs(histogram.sumMs - sum) < 1e-6)
        },
      ),
      { seed: 1, numRuns: 300 },
    )
  })

  it('reckon evenly between two bounds, and say nothing of what is above them all', () => {
    const histogram = new Bounds([10, 20]).histogram()
    for (const ms of [5, 12, 13, 17, 19, 25]) histogram.add(ms)
    assert.equal(histogram.above(15), 3)
    assert.equal(histogram.above(0), 6)
    assert.equal(histogram.above(30), 0)
  })
})

describe('a threshold', () => {
  it('is a bound of all histograms, so that rules here and in Prometheus say the same', () => {
    const { recorder, request, samples } = recorderFor()
    recorder.measures.threshold(333)
    recorder.measures.threshold(333)
    for (const totalMs of [300, 333, 333.001, 340, 5000]) request({ totalMs })
    assert.equal(recorder.measures.route('/a').slowerThan(333), 3)
    assert.equal(recorder.measures.upstream('main').slowerThan(333), 3)
    assert.equal(recorder.measures.total().slowerThan(333), 3)
    const page = samples()
    assert.equal(page.get('holdfast_request_duration_seconds_bucket{route="/a",le="0.333"}'), 2)
    assert.equal(page.get('holdfast_upstream_request_duration_seconds_bucket{upstream="main",le="0.333"}'), 2)
  })

  it('that would be one series too many for every route and upstream is refused, with what to do about it', () => {
    const { recorder } = recorderFor()
    for (let i = 0; i < 47; i++) recorder.measures.threshold(2000 + i)
    recorder.measures.threshold(2000)
    assert.throws(
      () => recorder.measures.threshold(3000),
      /threshold of 3000 ms .* 50 .* same thresholds, .* metrics\.buckets/,
    )
    assert.equal(recorder.durations.ms.length, 50)
  })

  it('that is named once requests were counted, or is none, is refused', () => {
    const { recorder, request } = recorderFor()
    for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => recorder.measures.threshold(wrong), /above 0 ms/)
    request({})
    assert.throws(() => recorder.measures.threshold(77), /comes too late.*before the server is ready/)
    recorder.measures.threshold(100)
  })
})

describe('the measures', () => {
  it('count by route, by upstream and in all; errors are 5xx, no answer, and answers that the target cut', () => {
    const { recorder, request } = recorderFor()
    for (const status of [200, 204, 304, 404, 500, 503]) request({ status })
    request({ status: 0 })
    request({ aborted: true })
    request({ aborted: true, status: 0 })
    request({ aborted: true }, { broken: true })
    request({ route: '/b', status: 500 })
    const { requests, errors } = recorder.measures.route('/a')
    assert.deepEqual({ requests, errors }, { requests: 10, errors: 4 })
    assert.equal(recorder.measures.upstream('main').requests, 11)
    assert.equal(recorder.measures.total().errors, 5)
    const { results } = recorder.routes.get('/a')!.traffic
    assert.deepEqual(Object.fromEntries(RESULTS.map((name, i) => [name, results[i]])), {
      none: 1,
      '1xx': 0,
      '2xx': 2,
      '3xx': 1,
      '4xx': 1,
      '5xx': 2,
      aborted: 2,
      cut: 1,
    })
    assert.throws(() => recorder.measures.route('/c'), /no route is named "\/c"/)
    assert.throws(() => recorder.measures.upstream('other'), /no upstream is named "other"/)
  })

  it('are all 0 without traffic: nothing is divided by', () => {
    const { recorder, samples } = recorderFor()
    for (const traffic of [
      recorder.measures.total(),
      recorder.measures.route('/a'),
      recorder.measures.upstream('main'),
    ]) {
      assert.deepEqual([traffic.requests, traffic.errors, traffic.slowerThan(5)], [0, 0, 0])
    }
    for (const [series, value] of samples()) assert.ok(Number.isFinite(value), `${series} ${value}`)
  })
})

describe('attempts', () => {
  it('are counted by what they came to, for the upstream and for the target', () => {
    const { recorder, target } = recorderFor()
    recorder.settled(target, answered(200, 5))
    recorder.settled(target, answered(503, 7))
    recorder.settled(target, { kind: 'failed', reason: 'connect', requestSent: false, latencyMs: 1 })
    recorder.settled(target, { kind: 'abandoned' })
    recorder.settled(target, { kind: 'abandoned', overtakenAfterMs: 40 })
    const upstream = recorder.upstreams.get('main')!
    const own = recorder.fleet!.of(target)!
    for (const { attempts } of [upstream, own]) {
      for (const name of ['2xx', '5xx', 'connect', 'abandoned', 'overtaken'] as const)
        assert.equal(attempts[attempt(name)], 1, name)
    }
    assert.equal(own.latencies, 3)
    assert.equal(own.latencyMs, 13)
    assert.equal(upstream.latency.total, 3)
  })

  it('are counted by why they were made, once the request is over; a hedge has won or lost', () => {
    const { recorder, request } = recorderFor()
    const attempts = (...list: [kind: string, decision: string][]) =>
      request({}, { attempts: list.map(([kind, decision]) => ({ kind, decision, outcome: 'ok' as const })) })
    attempts(['first', 'commit'])
    attempts(['first', 'retry'], ['retry', 'commit'])
    attempts(['first', 'abandon'], ['hedge', 'commit'])
    attempts(['first', 'commit'], ['hedge', 'abandon'])
    assert.deepEqual([...recorder.upstreams.get('main')!.kinds], [4, 1, 1, 1])
  })

  it('the share of the gateway is what is left of the time at the upstream, and never below 0', () => {
    const { recorder, request } = recorderFor()
    request({ totalMs: 20 }, { upstreamMs: 15 })
    request({ totalMs: 20 }, { upstreamMs: 21 })
    const { gateway } = recorder.routes.get('/a')!
    assert.equal(gateway.sumMs, 5)
    assert.equal(gateway.total, 2)
  })
})

describe('errors of the gateway', () => {
  it('are counted by route and code, and there is an end to codes that plugins make up', () => {
    const { recorder, request } = recorderFor()
    for (let i = 0; i < 500; i++) request({ status: 403 }, {}, `GTW_MADE_UP_${i}`)
    request({ status: 429 }, {}, 'GTW_MADE_UP_7')
    const { errors } = recorder.routes.get('/a')!
    assert.equal(errors.size, 101)
    assert.equal(errors.get('GTW_MADE_UP_7'), 2)
    assert.equal(errors.get('other'), 400)
  })
})

describe('events', () => {
  it('are counted by name, panic is known, and there is an end to names', () => {
    const { recorder, target } = recorderFor()
    const told = (name: string) => recorder.heard({ upstream: 'main', name, target, why: 'because' })
    const upstream = recorder.upstreams.get('main')!
    assert.equal(upstream.events.get('ejected'), 0, 'a first ejection has to be seen as a rise')
    told('ejected')
    told('panic')
    assert.equal(upstream.events.get('ejected'), 1)
    assert.equal(upstream.panic, true)
    told('calm')
    assert.equal(upstream.panic, false)
    for (let i = 0; i < 500; i++) told(`made-up-${i}`)
    assert.ok(upstream.events.size <= 101)
    assert.equal(recorder.fleet!.of(target)!.lastEvent?.name, 'made-up-499')
  })
})

describe('targets that come and go', () => {
  it('one that was removed is shown for a minute, until a whole scrape, and then no more', () => {
    const { recorder, target, clock, samples } = recorderFor()
    recorder.settled(target, answered(200, 5))
    const series = `holdfast_target_attempts_total{upstream="main",target="${target.origin}",result="2xx"}`
    recorder.fleet!.changed({ kind: 'removed', target })
    assert.equal(samples().get(series), 1)
    assert.equal(
      samples().get(`holdfast_target_weight{upstream="main",target="${target.origin}"}`),
      undefined,
    )
    clock.advance(59_000)
    recorder.fleet!.scraped(clock.now())
    assert.equal(samples().get(series), 1)
    clock.advance(2000)
    recorder.fleet!.scraped(clock.now())
    assert.equal(samples().get(series), undefined)
    assert.equal(recorder.upstreams.get('main')!.attempts[attempt('2xx')], 1)
  })

  it('without any scrape it is forgotten after five minutes, and so that never more than a thousand are kept', () => {
    const { recorder, clock, add } = recorderFor()
    for (let i = 0; i < 1500; i++) recorder.fleet!.changed({ kind: 'removed', target: add() })
    assert.equal(recorder.fleet!.list().length, 1001)
    clock.advance(300_001)
    assert.equal(recorder.fleet!.list().length, 1)
  })

  it('one that comes back goes on where it was: no series is there twice', () => {
    const { recorder, target, again, samples } = recorderFor()
    recorder.settled(target, answered(200, 5))
    recorder.fleet!.changed({ kind: 'removed', target })
    const back = again(target)
    recorder.fleet!.changed({ kind: 'added', target: back })
    recorder.settled(back, answered(200, 5))
    const series = `holdfast_target_attempts_total{upstream="main",target="${target.origin}",result="2xx"}`
    // `samples` throws where a series is there twice.
    assert.equal(samples().get(series), 2)
  })

  it('no counter ever goes back, but for those of a target that is gone', () => {
    const steps = fc.array(
      fc.oneof(
        fc.constant('add' as const),
        fc.constant('remove' as const),
        fc.constant('return' as const),
        fc.constant('settle' as const),
        fc.constant('settle' as const),
        fc.constant('request' as const),
        fc.constant('scrape' as const),
        fc.constant('wait' as const),
      ),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat(1000)), (list, dice) => {
        const { recorder, target, clock, add, again, request, samples } = recorderFor()
        const there = [target]
        const removed: (typeof there)[number][] = []
        const one = (of: typeof there) => of[dice.next().value % of.length]!
        let before = new Map<string, number>()
        for (const step of list) {
          if (step === 'add') {
            const added = add()
            there.push(added)
            recorder.fleet!.changed({ kind: 'added', target: added })
          } else if (step === 'remove' && there.length > 1) {
            const gone = one(there)
            there.splice(there.indexOf(gone), 1)
            removed.push(gone)
            recorder.fleet!.changed({ kind: 'removed', target: gone })
          } else if (step === 'return' && removed.length > 0) {
            const gone = one(removed)
            removed.splice(removed.indexOf(gone), 1)
            const back = again(gone)
            there.push(back)
            recorder.fleet!.changed({ kind: 'added', target: back })
          } else if (step === 'settle') recorder.settled(one(there), answered(200, 5))
          else if (step === 'request') request({})
          else if (step === 'scrape') recorder.fleet!.scraped(clock.now())
          else clock.advance(40_000)
          const after = new Map(
            [...samples()].filter(([series]) => /_(total|bucket|count|sum)\b/.test(series)),
          )
          for (const [series, value] of before) {
            const next = after.get(series)
            if (next === undefined) assert.match(series, /^holdfast_target_/)
            else assert.ok(next >= value, `${series}: ${value} to ${next}`)
          }
          before = after
        }
      }),
      { seed: 3, numRuns: 60 },
    )
  })
})

describe('a clock that jumps', () => {
  it('does no harm', () => {
    const { recorder, target, clock, request, samples } = recorderFor()
    for (const jump of [-1e6, 1e12, -5e11, 0]) {
      clock.advance(jump)
      recorder.settled(target, answered(200, 5))
      request({ startedAt: clock.now() })
      recorder.fleet!.scraped(clock.now())
      for (const [series, value] of samples()) assert.ok(Number.isFinite(value), `${series} ${value}`)
    }
    assert.equal(recorder.measures.total().requests, 4)
    assert.equal(recorder.routes.get('/a')!.traffic.results[result('2xx')], 4)
  })
})

describe('the exemplar of a bucket', () => {
  const idsOf = ({ recorder }: ReturnType<typeof recorderFor>) =>
    recorder.routes.get('/a')?.exemplars?.ids.filter((id) => id !== undefined)

  it('names a trace that is recorded, for a minute, though requests come after it that are in no trace', () => {
    const it = recorderFor()
    it.request({ id: 'r1' })
    assert.deepEqual(idsOf(it), ['r1'])
    it.request({ id: 't1', traced: true })
    it.request({ id: 'r2' })
    assert.deepEqual(idsOf(it), ['t1'])
    it.request({ id: 't2', traced: true })
    it.clock.advance(59_000)
    it.request({ id: 'r3' })
    assert.deepEqual(idsOf(it), ['t2'])
    it.clock.advance(2000)
    it.request({ id: 'r4' })
    assert.deepEqual(idsOf(it), ['r4'])
  })

  it('is not even kept where the config wants none', () => {
    const it = recorderFor({ exemplars: false })
    it.request({ id: 'r1' })
    assert.equal(it.recorder.routes.get('/a')?.exemplars, undefined)
    assert.ok(![...it.page('openmetrics')].join('').includes(' # {'))
  })
})
