import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Split, Splits } from '../../plugins/routing/split.ts'
import { seededDice } from '../support/dice.ts'
import { startTarget } from '../support/target.ts'
import { ask, gatewayTo } from '../transport/support.ts'

test('upstreams are chosen by their shares, whatever these add up to', () => {
  const split = new Split({ a: 3, b: 1, c: 0 }, seededDice(1))
  const chosen: Record<string, number> = { a: 0, b: 0, c: 0 }
  for (let i = 0; i < 100_000; i++) chosen[split.choose()]!++
  // Five standard deviations of a share of 0.75 in 100,000.
  assert.ok(Math.abs(chosen['a']! / 100_000 - 0.75) < 0.0069)
  assert.equal(chosen['c'], 0)
  assert.deepEqual(
    [...split.parts],
    [
      ['a', 0.75],
      ['b', 0.25],
    ],
  )
})

test('what cannot be a split is refused, and leaves the one that there is', () => {
  const splits = new Splits(
    new Map([
      ['a', 1],
      ['b', 1],
    ]),
  )
  const one = splits.add('one', { upstream: 'a' }, () => 0)
  assert.throws(() => splits.set('two', { a: 1 }), /no route that forwards is named "two"/)
  assert.throws(() => splits.set('one', { c: 1 }), /no upstream is named "c"/)
  assert.throws(() => splits.set('one', { a: 0 }), /needs a share above 0/)
  assert.throws(() => splits.set('one', { a: -1 }), /must be 0 or more/)
  assert.throws(() => splits.set('one', { a: Number.NaN }), /must be 0 or more/)
  assert.equal(one.choose(), 'a')
})

test('routes of one name are changed together', () => {
  const splits = new Splits(
    new Map([
      ['a', 1],
      ['b', 1],
    ]),
  )
  const configs = [{ upstream: 'a' }, { split: { a: 1, b: 1 } }] as const
  const routes = configs.map((config) => splits.add('one', config, () => 0))
  const parts = () => configs.map((config) => Object.fromEntries(splits.partsOf(config)))
  assert.deepEqual(parts(), [{ a: 1 }, { a: 0.5, b: 0.5 }])
  assert.deepEqual([...splits.partsOf({ upstream: 'a' })], [])
  splits.set('one', { b: 1 })
  assert.deepEqual(parts(), [{ b: 1 }, { b: 1 }])
  assert.deepEqual(
    routes.map((route) => route.choose()),
    ['b', 'b'],
  )
})

test('app.setSplit: the next requests go elsewhere, and back', async (t) => {
  const [one, two] = await Promise.all(
    ['one', 'two'].map((name) => startTarget(t, (_seen, response) => void response.end(name))),
  )
  const { app, port } = await gatewayTo(t, one!.origin, {
    route: { name: 'all' },
    others: { next: { targets: [{ origin: two!.origin }] } },
  })
  const text = async (): Promise<string> => (await ask(port)).body.toString()
  assert.equal(await text(), 'one')
  app.setSplit('all', { next: 1 })
  assert.equal(await text(), 'two')
  app.setSplit('all', undefined)
  assert.equal(await text(), 'one')
  assert.throws(() => app.setSplit('none', { next: 1 }), /no route/)
})
