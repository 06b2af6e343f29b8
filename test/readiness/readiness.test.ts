import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LINGER_MS } from '../../plugins/config/close.ts'
import { buildGateway, startGateway } from '../support/gateway.ts'

const one = {
  upstreams: { u: { targets: [{ origin: 'http://127.0.0.1:1' }] } },
  routes: [{ path: '/*', upstream: 'u' }],
}

test('not ready while no target is usable, whatever the reason; alive all the same', async (t) => {
  let healthy = false
  const app = await buildGateway(one, {
    use: async (app) =>
      app.upstreams.addHealthSource({ name: 'test', allows: () => healthy, veto: () => 'unchecked' }),
  })
  t.after(() => app.close())
  const before = await app.inject('/readyz')
  assert.equal(before.statusCode, 503)
  assert.deepEqual(before.json(), { ready: false, reason: 'no target' })
  assert.equal((await app.inject('/livez')).statusCode, 200)
  healthy = true
  app.upstreams.changed(app.upstreams.upstream('u').targets[0] as never)
  assert.equal((await app.inject('/readyz')).statusCode, 200)
})

test('ready while targets that are believed to fail are used for want of others', async (t) => {
  const app = await buildGateway(one, {
    use: async (app) => app.upstreams.addHealthSource({ name: 'test', allows: () => false }),
  })
  t.after(() => app.close())
  assert.equal((await app.inject('/readyz')).statusCode, 200)
})

test('a gateway without upstreams, which only redirects or answers by itself, is ready', async (t) => {
  const app = await buildGateway({ upstreams: {}, routes: [{ path: '/*', respond: { body: 'hello' } }] })
  t.after(() => app.close())
  assert.deepEqual((await app.inject('/readyz')).json(), { ready: true })
})

test('what listens ends only when the last answers have left the kernel', async () => {
  const { app } = await startGateway({ server: {}, ...one } as object)
  const began = performance.now()
  await app.close()
  // Node's timers may be a millisecond early.
  assert.ok(performance.now() - began >= LINGER_MS - 2, 'it lingers')
  const silent = await buildGateway(one)
  await silent.ready()
  let lingered = false
  const timer = setTimeout(() => {
    lingered = true
  }, LINGER_MS * 0.9)
  await silent.close()
  clearTimeout(timer)
  assert.equal(lingered, false, 'who does not listen has nobody to wait for')
})

test('not ready as long as a plugin waits for something', async (t) => {
  let waits = true
  const app = await buildGateway(one, {
    use: async (app) => app.notReadyWhile('no dictionary', () => waits),
  })
  t.after(() => app.close())
  const before = await app.inject('/readyz')
  assert.equal(before.statusCode, 503)
  assert.deepEqual(before.json(), { ready: false, reason: 'no dictionary' })
  waits = false
  assert.equal((await app.inject('/readyz')).statusCode, 200)
})

test('the endpoints are where the config puts them, and their old paths are free', async (t) => {
  const app = await buildGateway({ ...one, routes: [], endpoints: { live: '/-/live', ready: '/-/ready' } })
  t.after(() => app.close())
  assert.equal((await app.inject('/-/live')).statusCode, 200)
  assert.equal((await app.inject('/-/ready')).statusCode, 200)
  assert.equal((await app.inject('/livez')).statusCode, 404)
})
