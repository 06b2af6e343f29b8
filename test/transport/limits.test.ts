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
