import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFaulty, wire } from '../support/faulty.ts'
import { ask, gatewayTo, idle, inflight } from './support.ts'

test('a request beyond connections and queue is a 503 with Retry-After, and room comes back', async (t) => {
  const target = await startFaulty(t, () => {})
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { limits: { connections: 2, queue: 1 }, failover: { retries: 0 } },
  })
  const held = [ask(gateway.port), ask(gateway.port)]
  await target.arrived(2)
  const queued = ask(gateway.port)
  while (inflight(gateway) < 3) await new Promise((resolve) => setImmediate(resolve))
  const { status, headers, body } = await ask(gateway.port)
  assert.equal(status, 503)
  assert.ok(Number(headers['retry-after']) >= 1)
  assert.equal(JSON.parse(body.toString()).code, 'GTW_OVERLOADED')
  assert.equal(target.requests.length, 2)

  const ok = wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok')
  for (const { socket } of target.requests) socket.write(ok)
  await target.arrived(3)
  target.requests[2]?.socket.write(ok)
  for (const answer of await Promise.all([...held, queued])) assert.equal(answer.status, 200)
  await idle(gateway)
  const again = ask(gateway.port)
  await target.arrived(4)
  target.requests[3]?.socket.write(ok)
  assert.equal((await again).status, 200)
  assert.equal(target.accepted, 2)
})

test('no more connections are opened than the limit says', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    setImmediate(() => socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 0'))),
  )
  const { port } = await gatewayTo(t, target.origin, { upstream: { limits: { connections: 3, queue: 100 } } })
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(port)))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.ok(target.accepted <= 3, `${target.accepted} connections`)
})

test('who waits longer for a connection than queueTimeout is told that the service is busy', async (t) => {
  const target = await startFaulty(t, () => {})
  const gateway = await gatewayTo(t, target.origin, {
    upstream: {
      limits: { connections: 1, queue: 5, queueTimeout: '80ms' },
      failover: { retries: 0, hedge: false },
    },
  })
  const held = ask(gateway.port)
  await target.arrived(1)
  const from = performance.now()
  const { status, headers, body } = await ask(gateway.port)
  const took = performance.now() - from
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], '1')
  assert.equal(JSON.parse(body.toString()).code, 'GTW_OVERLOADED')
  assert.ok(took >= 79, `${took} ms`)
  target.requests[0]?.socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'))
  assert.equal((await held).status, 200)
  assert.equal(target.requests.length, 1, 'the one that gave up was never sent')
  await idle(gateway)
})

test('who waited in vain at one target is sent to another', async (t) => {
  const full = await startFaulty(t, () => {})
  const free = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok')),
  )
  const gateway = await gatewayTo(t, [full.origin, free.origin], {
    upstream: {
      limits: { connections: 1, queue: 5, queueTimeout: '80ms' },
      failover: { hedge: false },
      proofOfLife: false,
    },
    use: async (app) => {
      app.upstreams.defineBalancer('first', () => ({ pick: (candidates) => candidates[0] }))
      app.upstreams.balance('main', 'first', {})
    },
  })
  void ask(gateway.port).catch(() => {})
  await full.arrived(1)
  assert.equal((await ask(gateway.port, { method: 'POST', body: 'x' })).status, 200)
  assert.equal(free.requests.length, 1)
})
