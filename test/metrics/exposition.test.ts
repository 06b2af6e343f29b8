import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collectorFamilies, collectorProblem } from '../../plugins/metrics/exposition/collector-families.ts'
import { formatFor, takesGzip } from '../../plugins/metrics/exposition/negotiate.ts'
import { type Family, Page } from '../../plugins/metrics/exposition/page.ts'
import { render } from '../../plugins/metrics/exposition/render.ts'
import { type Stats, statsText } from '../../plugins/metrics/stats.ts'
import type { Collector } from '../../plugins/upstreams/measures.ts'
import { answered, recorderFor, samplesOf } from './support.ts'

const GAUGE: Collector = {
  name: 'queue',
  help: 'How many wait.',
  type: 'gauge',
  labels: ['name'],
  collect: (add) => add(1, 'a'),
}

function pageOf(collector: Partial<Collector>): string {
  const families = collectorFamilies([{ ...GAUGE, ...collector }], (_, error) => assert.fail(String(error)))
  return [...render(families, 'text')].join('')
}

describe('a page', () => {
  it('escapes labels and help, so that a name cannot make up a series', () => {
    const page = pageOf({
      help: 'One \\ and\nanother "line".',
      collect: (add) => add(2, 'a"} 7\nfake{x="\\'),
    })
    assert.equal(
      page,
      '# HELP holdfast_queue One \\\\ and\\nanother "line".\n# TYPE holdfast_queue gauge\n' +
        'holdfast_queue{name="a\\"} 7\\nfake{x=\\"\\\\"} 2\n',
    )
  })

  it('of OpenMetrics ends as one, names counters as one does, and has the same series', () => {
    const { page, request } = recorderFor()
    request({})
    const [text, openMetrics] = (['text', 'openmetrics'] as const).map((format) => [...page(format)].join(''))
    assert.match(text as string, /^# TYPE holdfast_requests_total counter$/m)
    assert.match(openMetrics as string, /^# TYPE holdfast_requests counter$/m)
    assert.ok(openMetrics?.endsWith('\n# EOF\n'))
    assert.ok(!text?.includes('EOF'))
    assert.deepEqual(samplesOf(openMetrics as string), samplesOf(text as string))
  })

  it('names a request of a bucket in OpenMetrics only: by its trace if it has one, else by its id', () => {
    const { page, request } = recorderFor()
    request({ totalMs: 5, id: 'request-7', startedAt: 3000 })
    request({ totalMs: 50, id: '4bf92f3577b34da6a3ce929d0e0e4736', traced: true, startedAt: 4000 })
    request({ totalMs: 5000, id: 'x'.repeat(119) })
    const openMetrics = [...page('openmetrics')].join('')
    const bucket = (le: string) =>
      openMetrics
        .split('\n')
        .find((line) => line.startsWith(`holdfast_request_duration_seconds_bucket{route="/a",le="${le}"}`))
        ?.replace(/^\S+ /, '')
    assert.equal(bucket('0.01'), '1 # {request_id="request-7"} 0.005 3.005')
    assert.equal(bucket('0.1'), '2 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.05 4.050')
    assert.equal(bucket('+Inf'), '3', 'an exemplar has at most 128 characters')
    assert.ok(![...page('text')].join('').includes(' # {'))
  })

  it('writes numbers as the format has them', () => {
    const page = new Page('text')
    page.begin({ name: 'a', help: 'b', type: 'gauge' })
    for (const value of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e300, 0.1])
      page.sample('', value)
    assert.deepEqual(page.take().split('\n').slice(2, -1), ['a +Inf', 'a -Inf', 'a NaN', 'a 1e+300', 'a 0.1'])
  })

  it('of ten thousand targets comes in slices, and its memory is bounded', () => {
    const { page, recorder, upstreams } = recorderFor({ targets: 10_000 })
    let bytes = 0
    for (const target of upstreams.get('main')!.targets) {
      for (let i = 0; i < 20; i++) recorder.settled(target, answered(200, 1.26 ** i))
      bytes += recorder.fleet!.of(target)!.recent!.bytes
    }
    // 11 parts of 64 buckets for a range of 1 to 80 ms.
    assert.ok(bytes / 10_000 < 3000, `${bytes / 10_000} bytes for each`)
    const began = performance.now()
    let largest = 0
    let slices = 0
    const samples = new Map<string, number>()
    for (const slice of page('openmetrics')) {
      slices++
      largest = Math.max(largest, slice.length)
      for (const [series, value] of samplesOf(slice.replace('# EOF\n', ''))) samples.set(series, value)
    }
    assert.ok(slices > 200, `${slices} slices`)
    assert.ok(largest < 40_000, `${largest} characters at once`)
    assert.ok(performance.now() - began < 20_000)
    assert.equal(samples.get('holdfast_upstream_targets{upstream="main"}'), 10_000)
    assert.equal(
      [...samples.keys()].filter((series) => series.startsWith('holdfast_target_weight')).length,
      10_000,
    )
  })

  it('shows no target that was forgotten while it was rendered', () => {
    const { page, recorder, target, clock } = recorderFor({ targets: 3000 })
    recorder.fleet!.changed({ kind: 'removed', target })
    const slices = page('text')
    let text = slices.next().value as string
    clock.advance(70_000)
    recorder.fleet!.scraped(clock.now())
    const rest = [...slices].join('')
    text += rest
    assert.ok(
      !rest.includes(
        `holdfast_target_attempt_duration_seconds_count{upstream="main",target="${target.origin}"}`,
      ),
    )
    samplesOf(text)
  })
})

describe('a collector', () => {
  it('whose name would break a page is named, with the remedy', () => {
    const cases: [Partial<Collector>, RegExp][] = [
      [{ name: 'Retries' }, /write it like "retries_total"/],
      [{ name: 'a-b' }, /no name of a metric/],
      [{ name: 'a_bucket' }, /take another name/],
      [{ name: 'retries', type: 'counter' }, /has to end with "_total"/],
      [{ name: 'retries_total' }, /must not end with "_total"/],
      [{ labels: ['le'] }, /no name of a label/],
      [{ labels: ['a b'] }, /no name of a label/],
    ]
    for (const [wrong, message] of cases)
      assert.match(collectorProblem({ ...GAUGE, ...wrong }) ?? '', message)
    assert.equal(collectorProblem(GAUGE), undefined)
  })

  it('that throws, or forgets a label, costs its own samples and no others', () => {
    const errors: unknown[] = []
    const families: Family[] = collectorFamilies(
      [
        {
          ...GAUGE,
          collect() {
            throw new Error('gone')
          },
        },
        { ...GAUGE, name: 'other', collect: (add) => add(1) },
        { ...GAUGE, name: 'well' },
      ],
      (_, error) => errors.push(error),
    )
    const samples = samplesOf([...render(families, 'text')].join(''))
    assert.deepEqual([...samples], [['holdfast_well{name="a"}', 1]])
    assert.deepEqual(errors.map(String), ['Error: gone', 'TypeError: "other" has 1 labels, not 0'])
  })
})

describe('the format', () => {
  it('is what is asked for', () => {
    const prometheus =
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
    const cases: [string | undefined, 'text' | 'openmetrics'][] = [
      [undefined, 'text'],
      ['', 'text'],
      ['*/*', 'text'],
      ['text/html', 'text'],
      ['application/openmetrics-text', 'openmetrics'],
      ['Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', 'openmetrics'],
      ['application/openmetrics-text; version=2.0.0', 'text'],
      ['application/openmetrics-text;q=0', 'text'],
      ['application/openmetrics-text;q=x', 'text'],
      ['application/openmetrics-text;q=0.4, text/plain;q=0.5', 'text'],
      ['application/openmetrics-text;q=0.5, text/plain;version=0.0.4;q=0.5', 'openmetrics'],
      ['application/vnd.google.protobuf;q=0.9, text/plain;q=0.4', 'text'],
      [prometheus, 'openmetrics'],
    ]
    for (const [accept, format] of cases) assert.equal(formatFor(accept), format, String(accept))
  })

  it('is packed for those who can unpack it', () => {
    for (const yes of ['gzip', 'x-gzip', 'br, GZIP;q=0.5', '*', 'deflate, *;q=0.1'])
      assert.ok(takesGzip(yes), yes)
    for (const no of [undefined, '', 'br', 'gzip;q=0', '*;q=0', '*, gzip;q=0', 'identity'])
      assert.ok(!takesGzip(no), String(no))
  })
})

describe('the percentiles', () => {
  const gateway = {
    version: '1.0.0',
    eventLoop: { p50: 0, p99: 0, max: 0, utilization: 0 },
    residentBytes: 0,
    connections: 0,
  }
  const FACTS = { at: '2026-11-25T00:00:00.000Z', uptimeSeconds: 5, gateway }
  const statsOf = (
    { recorder, upstreams, clock }: ReturnType<typeof recorderFor>,
    opinionsOn: Parameters<typeof statsText>[4] = () => [],
  ): Stats => JSON.parse([...statsText(recorder, upstreams, clock.now(), FACTS, opinionsOn)].join(''))

  it('are those of the last minute and of the last five, by route, by target and in all', () => {
    const all = recorderFor()
    const { request, recorder, target, clock } = all
    for (let i = 1; i <= 100; i++) {
      request({ totalMs: i, status: i > 90 ? 500 : 200 })
      recorder.settled(target, answered(i > 95 ? 503 : 200, i))
    }
    clock.advance(30_000)
    request({ route: '/b', totalMs: 400 })
    const near = (actual: number | null | undefined, expected: number, error: number) =>
      assert.ok(Math.abs((actual ?? 0) / expected - 1) <= error * 1.001, `${actual} is not ${expected}`)
    const { routes, total, upstreams, errorBounds } = statsOf(all)
    assert.deepEqual(errorBounds, { routes: 0.02, targets: 0.05 })
    const [a, b, none, local] = routes.map(({ windows }) => windows['1m'])
    assert.deepEqual([a?.count, b?.count, none?.count, local?.count], [100, 1, 0, 0])
    near(a?.p50Ms, 50, 0.02)
    near(a?.p95Ms, 95, 0.02)
    near(a?.p99Ms, 99, 0.02)
    near(b?.p99Ms, 400, 0.02)
    assert.equal(a?.errorRatio, 0.1)
    assert.equal(a?.seconds, 30)
    near(a?.rate, 100 / 30, 0.001)
    assert.equal(total.windows['1m'].count, 101)
    assert.equal(total.requests, 101)
    const [main] = upstreams
    const [one] = main?.targets ?? []
    near(one?.windows?.['1m'].p95Ms, 95, 0.05)
    assert.equal(one?.windows?.['1m'].errorRatio, 0.05)
    assert.equal(one?.state, 'eligible')
    assert.deepEqual(main?.tiersInUse, [0])

    clock.advance(120_000)
    const later = statsOf(all).routes[0]?.windows
    assert.equal(later?.['1m'].count, 0)
    assert.equal(later?.['5m'].count, 100)
    clock.advance(400_000)
    assert.equal(statsOf(all).routes[0]?.windows['5m'].count, 0)
    assert.equal(statsOf(all).routes[0]?.requests, 100)
  })

  it('are null without traffic, and there is JSON all the same', () => {
    const all = recorderFor({ targets: 2 })
    const { routes, upstreams } = statsOf(all)
    assert.deepEqual(routes[0]?.windows['1m'], {
      seconds: 0.001,
      count: 0,
      rate: 0,
      errorRatio: null,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
    })
    assert.equal(upstreams[0]?.targets.length, 2)
    assert.equal(upstreams[0]?.targets[0]?.lastEvent, null)
  })

  it('say what was last heard of a target', () => {
    const all = recorderFor()
    const { recorder, target, clock } = all
    recorder.heard({ upstream: 'main', name: 'ejected', target, why: '5 failures in a row' })
    clock.advance(2000)
    assert.deepEqual(statsOf(all).upstreams[0]?.targets[0]?.lastEvent, {
      name: 'ejected',
      why: '5 failures in a row',
      secondsAgo: 2,
    })
  })

  it('say who keeps a target out and who slows it down; without targets they are summed up all the same', () => {
    const all = recorderFor({ targets: 2 })
    all.request()
    const [main] = statsOf(all, () => [
      { by: 'health-check', veto: 'unhealthy', share: 1 },
      { by: 'slow-start', veto: undefined, share: 0.4 },
    ]).upstreams
    assert.deepEqual(main?.targets[0]?.vetoes, { 'health-check': 'unhealthy' })
    assert.deepEqual(main?.targets[0]?.slowedBy, ['slow-start'])
    assert.equal(main?.targets[0]?.attempts, 0)
    const [brief] = JSON.parse(
      [...statsText(all.recorder, all.upstreams, all.clock.now(), FACTS, undefined)].join(''),
    ).upstreams
    assert.deepEqual(brief, { ...main, targets: [] })
    assert.deepEqual([brief.size, brief.eligible, brief.inflight], [2, 2, 0])
    assert.equal(brief.windows['1m'].count, 1)
  })
})
