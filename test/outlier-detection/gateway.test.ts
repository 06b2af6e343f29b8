import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UpstreamEvent } from '../../plugins/upstreams/events.ts'
import { refusal } from '../config/support.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { ask, eventually, gatewayTo } from '../transport/support.ts'

const NO_RETRIES = { failover: { retries: 0 } }

test('a target that answers 500 is ejected after five and gets nothing, then it returns', async (t) => {
  let broken = true
  const bad = await startTarget(t, (_seen, response) => {
    response.statusCode = broken ? 500 : 200
    response.end()
  })
  const good = await startTarget(t)
  const events: UpstreamEvent[] = []
  const gateway = await gatewayTo(t, [bad.origin, good.origin], {
    upstream: { ...NO_RETRIES, outlierDetection: { baseEjection: '2s', doubt: false } },
    use: async (app) => app.upstreams.onEvent((event) => events.push(event)),
  })
  const ours = (): string[] =>
    events.filter(({ by }) => by === 'outlier-detection').map(({ name, why }) => `${name}: ${why}`)

  const statuses: number[] = []
  for (let i = 0; i < 30; i++) statuses.push((await ask(gateway.port)).status)
  assert.equal(statuses.filter((status) => status === 500).length, 5)
  assert.equal(bad.seen.length, 5, 'it got nothing more')
  assert.deepEqual(ours(), ['ejected: 5 failures in a row'])
  broken = false
  const since = performance.now()
  await eventually(() => ours().length === 2, 'it returns')
  assert.ok(performance.now() - since < 5000, 'long before a sweep comes round')
  assert.match(ours()[1] ?? '', /^returned: its 2(\.\d)? s are over/)
  for (let i = 0; i < 4; i++) assert.equal((await ask(gateway.port)).status, 200)
  assert.equal(bad.seen.length, 7, 'every other one of the four')
})

test('a target that refuses connections is ejected, though the retries hide it from clients', async (t) => {
  const good = await startTarget(t)
  const gateway = await gatewayTo(t, [await deadOrigin(), good.origin])
  for (let i = 0; i < 20; i++) assert.equal((await ask(gateway.port)).status, 200)
  const upstream = gateway.app.upstreams.upstream('main')
  assert.deepEqual(upstream.eligible(), [upstream.targets[1]])
})

test('`false` turns it off: the target is used, however often it fails', async (t) => {
  const bad = await startTarget(t, (_seen, response) => {
    response.statusCode = 500
    response.end()
  })
  const good = await startTarget(t)
  const upstream = { ...NO_RETRIES, outlierDetection: false }
  const gateway = await gatewayTo(t, [bad.origin, good.origin], { upstream })
  for (let i = 0; i < 30; i++) await ask(gateway.port)
  assert.equal(bad.seen.length, 15)
})

test('an ejection that is longer than the longest is refused, with what to do about it', async () => {
  const targets = [{ origin: 'http://127.0.0.1:1' }]
  const { message } = await refusal({
    upstreams: { u: { targets, outlierDetection: { baseEjection: '10m' } } },
    routes: [],
  })
  assert.match(
    message,
    /upstreams\.u\.outlierDetection\.maxEjection: is shorter than baseEjection .*; raise it/,
  )
})
