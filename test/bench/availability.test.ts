import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerTo, order, pathOf, readPath } from '../../bench/availability/answer.ts'
import { readOptions } from '../../bench/availability/options.ts'
import { type Arrival, arrivals, dice } from '../../bench/availability/schedule.ts'

function take(count: number, seed: number, perSecond = 150): Arrival[] {
  const all: Arrival[] = []
  for (const arrival of arrivals(perSecond, dice(seed))) {
    if (all.push(arrival) === count) break
  }
  return all
}

test('the same seed gives the same schedule, another seed another', () => {
  assert.deepEqual(take(500, 7), take(500, 7))
  assert.notDeepEqual(take(500, 7), take(500, 8))
})

test('arrivals are Poisson at the rate: the gaps have its mean and vary as much as they are long', () => {
  const all = take(20_000, 1)
  const gaps = all.slice(1).map(({ at }, i) => at - all[i]!.at)
  const mean = gaps.reduce((a, b) => a + b, 0) / gaps.length
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length)
  assert.ok(Math.abs(mean - 1000 / 150) < 0.2, `mean gap ${mean} ms`)
  assert.ok(Math.abs(deviation / mean - 1) < 0.05, `deviation ${deviation} ms`)
  assert.ok(gaps.every((gap) => gap >= 0))
})

test('a fifth are POSTs, and the GETs take turns', () => {
  const kinds = take(10_000, 3).map(({ kind }) => kind)
  const posts = kinds.filter((kind) => kind === 'orders').length
  assert.ok(Math.abs(posts / kinds.length - 0.2) < 0.02, `${posts} POSTs`)
  const gets = kinds.filter((kind) => kind !== 'orders')
  assert.ok(gets.every((kind, i) => kind === (i % 2 === 0 ? 'small' : 'chunked')))
})

test('dice stay within [0, 1)', () => {
  const next = dice(0)
  for (let i = 0; i < 10_000; i++) {
    const value = next()
    assert.ok(value >= 0 && value < 1)
  }
})

test('answers have their length and differ by kind and id throughout', () => {
  assert.equal(answerTo('small', 'a-1').length, 300)
  assert.equal(answerTo('chunked', 'a-1').length, 2048)
  assert.equal(answerTo('small', 'a-1'), answerTo('small', 'a-1'))
  assert.notEqual(answerTo('small', 'a-1').slice(150), answerTo('small', 'a-2').slice(150))
  assert.notEqual(order('a-1').slice(100), order('a-2').slice(100))
  assert.match(answerTo('chunked', 'a-1'), /^chunked a-1 [a-z]+$/)
})

test('a path is read as it was written; others are none of ours', () => {
  assert.deepEqual(readPath(pathOf('chunked', 'nginx-killed-17')), { kind: 'chunked', id: 'nginx-killed-17' })
  for (const path of ['/', '/small', '/small/', '/toString/1', '/healthz', '']) {
    assert.equal(readPath(path), undefined, path)
  }
})

test('options: defaults, lists, and what makes no sense', () => {
  const known = { gateways: ['holdfast', 'nginx'], faults: ['killed', 'frozen'] }
  const given = readOptions([], known)
  assert.deepEqual(
    { ...given },
    {
      rate: 150,
      seconds: 8,
      calm: 10,
      seed: 1,
      latency: 0,
      only: undefined,
      faults: undefined,
      json: undefined,
    },
  )
  assert.deepEqual(readOptions(['--faults', 'frozen, killed', '--only', 'nginx'], known).faults, [
    'frozen',
    'killed',
  ])
  assert.throws(() => readOptions(['--only', 'apache'], known), /--only: "apache" is none of holdfast, nginx/)
  assert.throws(() => readOptions(['--faults', 'melted'], known), /--faults: "melted"/)
  assert.throws(() => readOptions(['--rate', '0'], known), /--rate/)
  assert.throws(() => readOptions(['--seconds', '1.5'], known), /--seconds/)
  assert.throws(() => readOptions(['--latency', '-1'], known), /--latency/)
})
