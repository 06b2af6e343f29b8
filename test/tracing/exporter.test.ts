/** The queue in front of a collector, in virtual time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Exporter, type Sent } from '../../plugins/tracing/exporter.ts'
import { exportRequest, nanoseconds, rejectedSpans, spanText } from '../../plugins/tracing/otlp.ts'

const TAKEN: Sent = { taken: true, rejected: 0 }
const LATER: Sent = { taken: false, again: true, afterMs: undefined, why: 'the collector answered 503' }

/** A collector that does as `answer` says, and a clock that stands still between the events. */
function virtual({ capacity = 4096, interval = 1000, answer = (): Sent | Promise<Sent> => TAKEN } = {}) {
  let time = 0
  const timers = new Set<{ at: number; run: () => void }>()
  const batches: { at: number; spans: readonly string[] }[] = []
  const told: (string | undefined)[] = []
  const collector = { answer }
  const exporter = new Exporter(
    {
      now: () => time,
      random: () => 1,
      schedule(milliseconds, run) {
        const timer = { at: time + milliseconds, run }
        timers.add(timer)
        return () => timers.delete(timer)
      },
      async send(spans) {
        batches.push({ at: time, spans })
        return collector.answer()
      },
      changed: (why) => told.push(why),
    },
    capacity,
    interval,
  )
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    exporter,
    batches,
    told,
    timers,
    collector,
    settle,
    add(count: number, from = 0) {
      for (let i = from; i < from + count; i++) exporter.add(`s${i}`)
    },
    async until(end: number) {
      await settle()
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        time = next.at
        next.run()
        await settle()
      }
      time = end
    },
  }
}

describe('the exporter', () => {
  it('waits for more spans for its interval, and no longer once a batch is full', async () => {
    const { exporter, add, batches, until, timers } = virtual()
    add(3)
    await until(999)
    assert.equal(batches.length, 0)
    await until(1000)
    assert.deepEqual(batches, [{ at: 1000, spans: ['s0', 's1', 's2'] }])
    add(1300)
    await until(1001)
    assert.deepEqual(
      batches.slice(1).map(({ at, spans }) => [at, spans.length]),
      [
        [1000, 512],
        [1000, 512],
      ],
    )
    await until(3000)
    assert.deepEqual([exporter.exported, exporter.dropped, exporter.waiting], [1303, 0, 0])
    assert.equal(batches.flatMap(({ spans }) => spans).length, 1303)
    assert.equal(timers.size, 0, 'it sleeps when there is nothing to do')
  })

  it('tries again with longer and longer pauses, and loses nothing that fits', async () => {
    const { exporter, add, batches, until, told, collector } = virtual({ answer: () => LATER })
    add(600)
    await until(100_000)
    assert.deepEqual(
      batches.map(({ at }) => at),
      [0, 1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000],
    )
    assert.deepEqual(told, [LATER.taken ? '' : LATER.why], 'told once')
    collector.answer = () => TAKEN
    await until(130_000)
    assert.deepEqual([exporter.exported, exporter.dropped], [600, 0])
    assert.deepEqual(told.slice(1), [undefined])
  })

  it('pushes out the oldest when there is no room, and gives a batch up after five minutes', async () => {
    const { exporter, add, batches, until, collector } = virtual({ capacity: 1000, answer: () => LATER })
    add(512)
    await until(0)
    add(1500, 512)
    assert.deepEqual([exporter.waiting, exporter.dropped], [1512, 500])
    await until(320_000)
    assert.equal(exporter.dropped, 500 + 512)
    collector.answer = () => TAKEN
    await until(400_000)
    assert.deepEqual([exporter.exported, exporter.waiting], [1000, 0])
    assert.equal(batches.at(-1)?.spans.at(-1), 's2011')
    assert.equal(batches.at(-2)?.spans[0], 's1012')
  })

  it('does as the collector says: when to come again, that it is not wanted, that some are not', async () => {
    const answers: Sent[] = [
      { taken: false, again: true, afterMs: 17_000, why: '429' },
      { taken: true, rejected: 2 },
      { taken: false, again: false, afterMs: undefined, why: '400' },
      TAKEN,
    ]
    const { exporter, add, batches, until } = virtual({ answer: () => answers.shift() as Sent })
    add(10)
    await until(20_000)
    assert.deepEqual(
      batches.map(({ at }) => at),
      [1000, 18_000],
    )
    assert.deepEqual([exporter.exported, exporter.dropped], [8, 2])
    add(5)
    await until(30_000)
    add(5)
    await until(40_000)
    assert.deepEqual([exporter.exported, exporter.dropped, batches.length], [13, 7, 4])
  })

  it('sent one that says `Retry-After: 0`, or a date that has passed, the same batch hundreds of times a second', async () => {
    const { add, batches, until, collector } = virtual()
    collector.answer = () =>
      batches.length > 20 ? TAKEN : { taken: false, again: true, afterMs: 0, why: '429' }
    add(10)
    await until(61_000)
    assert.deepEqual(
      batches.map(({ at }) => at),
      [1000, 2000, 4000, 8000, 16_000, 32_000],
    )
  })

  it('sends what is left when it closes, and is done in time where nobody answers', async () => {
    const quick = virtual()
    quick.add(700)
    await quick.exporter.close(3000)
    assert.deepEqual([quick.exporter.exported, quick.exporter.dropped, quick.timers.size], [700, 0, 0])

    const down = virtual({ answer: () => LATER })
    down.add(700)
    await down.settle()
    await down.exporter.close(3000)
    assert.deepEqual([down.exporter.exported, down.exporter.dropped, down.timers.size], [0, 700, 0])

    let answer = (_: Sent) => {}
    const hung = virtual({ answer: () => new Promise<Sent>((resolve) => (answer = resolve)) })
    hung.add(700)
    const closed = hung.exporter.close(3000)
    await hung.until(3000)
    await closed
    answer(TAKEN)
    await hung.settle()
    assert.deepEqual([hung.exporter.exported, hung.exporter.dropped, hung.timers.size], [0, 700, 0])
    await virtual().exporter.close(3000)
  })
})

describe('OTLP/JSON', () => {
  it('is what a collector reads, whatever a client put into it', () => {
    const nasty = 'a"\\\u0000\n\u2028</script>'
    const text = spanText({
      traceId: 't',
      spanId: 's',
      parentId: undefined,
      parentRemote: false,
      flags: 3,
      state: undefined,
      name: 'GET x',
      kind: 2,
      from: 1_700_000_000_123.456,
      to: 1_700_000_000_000,
      attributes: { nasty, whole: 7, part: 0.5, yes: true, nothing: undefined },
      events: [],
      link: undefined,
      failed: true,
    })
    const body = JSON.parse(
      exportRequest({ 'service.name': nasty, [nasty]: 1 }, { name: 'x', version: '1' })([text, text]),
    )
    const [{ resource, scopeSpans }] = body.resourceSpans
    assert.deepEqual(resource.attributes, [
      { key: 'service.name', value: { stringValue: nasty } },
      { key: nasty, value: { intValue: '1' } },
    ])
    assert.equal(scopeSpans[0].spans.length, 2)
    const [span] = scopeSpans[0].spans
    assert.deepEqual(span.attributes, [
      { key: 'nasty', value: { stringValue: nasty } },
      { key: 'whole', value: { intValue: '7' } },
      { key: 'part', value: { doubleValue: 0.5 } },
      { key: 'yes', value: { boolValue: true } },
    ])
    assert.deepEqual([span.flags, span.status, span.kind], [0x103, { code: 2 }, 2])
    assert.equal(span.endTimeUnixNano, span.startTimeUnixNano, 'never ends before it begins')
    assert.equal(nanoseconds(1_700_000_000_000.000_5), '1700000000000000488')
    assert.equal(nanoseconds(5), '5000000')
  })

  it('tells how many spans were rejected, if it says so', () => {
    assert.equal(rejectedSpans('{"partialSuccess":{"rejectedSpans":"3","errorMessage":"old"}}'), 3)
    for (const body of ['{}', '', '\x0a\x02', '{"partialSuccess":{"rejectedSpans":-1}}', '[]']) {
      assert.equal(rejectedSpans(body), 0, body)
    }
  })
})
