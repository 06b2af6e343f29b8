import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { deadOrigin, startTarget } from '../support/target.ts'

test('a dead target costs no request, GET or POST', async (t) => {
  const alive = await startTarget(t)
  const { app, url } = await startGateway({
    upstreams: { u: { targets: [{ origin: await deadOrigin() }, { origin: alive.origin }] } },
    routes: [{ path: '/*', upstream: 'u' }],
  } as object)
  t.after(() => app.close())
  for (let i = 0; i < 10; i++) {
    assert.equal((await fetch(`${url}/`)).status, 200)
    assert.equal((await fetch(`${url}/`, { method: 'POST', body: `order ${i}` })).status, 200)
  }
  const orders = alive.seen.filter(({ method }) => method === 'POST').map(({ body }) => body)
  assert.deepEqual(
    orders,
    Array.from({ length: 10 }, (_, i) => `order ${i}`),
  )
})

test('a 503 is answered by another target; where none is left the last one is not hidden', async (t) => {
  const sick = await startTarget(t, (_seen, response) => {
    response.statusCode = 503
    response.setHeader('x-sick', 'yes')
    response.end('sick')
  })
  const well = await startTarget(t, (_seen, response) => response.end('well'))
  const { app, url } = await startGateway({
    upstreams: {
      both: { targets: [{ origin: sick.origin }, { origin: well.origin }] },
      sick: { targets: [{ origin: sick.origin }], failover: { retries: 1 } },
    },
    routes: [
      { path: '/both', upstream: 'both' },
      { path: '/sick', upstream: 'sick' },
    ],
  } as object)
  t.after(() => app.close())
  for (let i = 0; i < 4; i++) {
    const response = await fetch(`${url}/both`)
    assert.equal(await response.text(), 'well')
    assert.equal(response.headers.get('x-sick'), null, 'nothing of a failed attempt reaches the client')
  }
  const response = await fetch(`${url}/sick`)
  assert.equal(response.status, 503)
  assert.equal(await response.text(), 'sick')
})

test('a POST that was sent and got a reset is not sent again', async (t) => {
  const broken = await startTarget(t, (_seen, response) => response.destroy())
  const alive = await startTarget(t)
  const { app, url } = await startGateway({
    upstreams: { u: { targets: [{ origin: broken.origin }, { origin: alive.origin }] } },
    routes: [{ path: '/*', upstream: 'u' }],
  } as object)
  t.after(() => app.close())
  const statuses: number[] = []
  for (let i = 0; i < 4; i++) statuses.push((await fetch(`${url}/`, { method: 'POST', body: 'x' })).status)
  // Once one has failed, the others go where a target was last seen to work.
  assert.deepEqual(statuses.toSorted(), [200, 200, 200, 502])
  assert.equal(broken.seen.length + alive.seen.length, 4)
  // The same fault under GET, which may be repeated, is not noticed.
  for (let i = 0; i < 4; i++) assert.equal((await fetch(`${url}/`)).status, 200)
})

test('a POST is repeated where the route says that it may be, or its Idempotency-Key does', async (t) => {
  const broken = await startTarget(t, (_seen, response) => response.destroy())
  const alive = await startTarget(t)
  const { app, url } = await startGateway({
    upstreams: {
      u: {
        targets: [{ origin: broken.origin }, { origin: alive.origin }],
        proofOfLife: false,
        outlierDetection: false,
      },
    },
    routes: [
      { path: '/any', upstream: 'u', repeatable: true },
      { path: '/keyed', upstream: 'u', repeatable: 'idempotency-key' },
    ],
  } as object)
  t.after(() => app.close())
  const post = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(`${url}${path}`, { method: 'POST', body: 'x', headers })).status
  for (let i = 0; i < 4; i++) assert.equal(await post('/any'), 200)
  for (let i = 0; i < 4; i++) assert.equal(await post('/keyed', { 'idempotency-key': `${i}` }), 200)
  const without = [await post('/keyed'), await post('/keyed')]
  assert.deepEqual(without.toSorted(), [200, 502], 'without a key it is a POST like any other')
})
