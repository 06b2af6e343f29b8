import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  answerTo,
  eventOf,
  isChunked,
  methodOf,
  readPath,
  sentWith,
} from '../../bench/availability/answer.ts'
import { dice } from '../../bench/availability/schedule.ts'
import { soakFaults } from '../../bench/soak/chaos.ts'
import { type PlannedEvent, plannedEvents } from '../../bench/soak/fault-plan.ts'
import { readOptions } from '../../bench/soak/options.ts'
import { logUniform, type PlannedRequest, plannedRequests } from '../../bench/soak/request-plan.ts'

const names = soakFaults(0).map(({ name }) => name)

function take<T>(count: number, from: Generator<T, never>): T[] {
  return Array.from({ length: count }, () => from.next().value)
}

function events(count: number, seed: number, targets = 4): PlannedEvent[] {
  return take(count, plannedEvents({ faults: names, targets, random: dice(seed) }))
}

function requests(count: number, seed: number): PlannedRequest[] {
  return take(count, plannedRequests(400, dice(seed)))
}

test('the same seed gives the same events and requests, another seed others', () => {
  assert.deepEqual(events(200, 7), events(200, 7))
  assert.notDeepEqual(events(200, 7), events(200, 8))
  assert.deepEqual(requests(200, 7), requests(200, 7))
  assert.notDeepEqual(requests(200, 7), requests(200, 8))
})

test('five minutes of events hold every fault and every change, on every target', () => {
  const all = events(1000, 1).filter(({ at }) => at < 300_000)
  const seen = new Set(
    all.flatMap((event) =>
      'name' in event ? [event.name] : 'change' in event ? [event.change] : [event.what],
    ),
  )
  for (const name of [...names, 'drain', 'replace', 'weigh', 'visit', 'all-gone'])
    assert.ok(seen.has(name), name)
  const hit = new Set(all.flatMap((event) => (event.what === 'fault' ? [event.target] : [])))
  assert.deepEqual([...hit].sort(), [0, 1, 2, 3])
})

test('events come in order, last 100 ms to 8 s, and pairs are on two targets', () => {
  const all = events(5000, 2)
  for (const [i, event] of all.entries()) {
    assert.ok(event.ms >= 100 && event.ms <= 8000)
    const before = all[i - 1]
    if (before === undefined) continue
    assert.ok(event.at >= before.at)
    if (event.at === before.at && event.what === 'fault' && before.what === 'fault') {
      assert.notEqual(event.target, before.target)
      assert.equal(event.ms, before.ms)
    }
  }
  const gone = all.filter(({ what }) => what === 'all-gone')
  assert.ok(gone.every(({ ms }) => ms === 1000))
  assert.ok(gone.length / all.length > 0.01 && gone.length / all.length < 0.04, `${gone.length}`)
})

test('with one target there are no pairs', () => {
  const all = events(500, 3, 1)
  assert.ok(all.every((event, i) => i === 0 || event.at > all[i - 1]!.at))
})

test('requests come at the rate, of every kind; some leave, and everyone leaves events', () => {
  const all = requests(50_000, 4)
  const seconds = all.at(-1)!.at / 1000
  assert.ok(Math.abs(all.length / seconds / 400 - 1) < 0.02)
  const share = (of: (request: PlannedRequest) => boolean) => all.filter(of).length / all.length
  assert.ok(Math.abs(share(({ kind }) => kind === 'orders') - 0.2) < 0.01)
  for (const kind of ['small', 'chunked', 'large', 'uploads', 'events', 'huge']) {
    assert.ok(share((request) => request.kind === kind) > 0, kind)
  }
  assert.ok(Math.abs(share(({ keepAlive }) => keepAlive) - 0.8) < 0.01)
  const others = all.filter(({ kind }) => kind !== 'events')
  const left = others.filter(({ leaveAfter }) => leaveAfter !== undefined)
  assert.ok(Math.abs(left.length / others.length - 0.05) < 0.005)
  assert.ok(
    all.every(({ kind, leaveAfter }) => kind !== 'events' || (leaveAfter! >= 200 && leaveAfter! <= 8000)),
  )
})

test('logUniform runs from the least to the most, the middle being their geometric mean', () => {
  assert.equal(logUniform(100, 8000, 0), 100)
  assert.ok(Math.abs(logUniform(100, 10_000, 0.5) - 1000) < 1e-6)
  assert.ok(logUniform(100, 8000, 1 - Number.EPSILON) <= 8000)
})

test('large answers show a chunk that is missing, doubled or out of place', () => {
  const large = answerTo('large', 's-1')
  assert.equal(large.length, 2 ** 20)
  const chunk = 2 ** 16
  const swapped = large.slice(chunk, 2 * chunk) + large.slice(0, chunk) + large.slice(2 * chunk)
  assert.notEqual(swapped, large)
  assert.notEqual(answerTo('large', 's-2').slice(-100), large.slice(-100))
  assert.equal(answerTo('huge', 's-1').length, 2 ** 23)
})

test('the kinds of the soak: how they are asked for, and what they carry', () => {
  assert.deepEqual((['small', 'orders', 'uploads', 'events'] as const).map(methodOf), [
    'GET',
    'POST',
    'PUT',
    'GET',
  ])
  assert.equal(sentWith('uploads', 's-1')?.length, 2 ** 18)
  assert.equal(sentWith('small', 's-1'), undefined)
  assert.deepEqual(readPath('/events/s-1'), { kind: 'events', id: 's-1' })
  assert.notEqual(eventOf('s-1', 0), eventOf('s-1', 1))
  assert.notEqual(isChunked('large', 's-1'), isChunked('large', 's-2'))
  assert.equal(isChunked('small', 's-2'), false)
})

test('options: defaults, and what makes no sense', () => {
  assert.deepEqual(readOptions([]), {
    minutes: 10,
    rate: 400,
    seed: 1,
    json: undefined,
    snapshots: undefined,
  })
  assert.equal(readOptions(['--minutes', '1.5']).minutes, 1.5)
  for (const [name, value] of [
    ['minutes', '0'],
    ['minutes', 'ten'],
    ['rate', ''],
    ['seed', '0.5'],
  ] as const) {
    assert.throws(() => readOptions([`--${name}`, value]), new RegExp(`--${name}: expected`))
  }
})
