import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { givenUp } from '../../plugins/transport/outcomes.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { silenceOf } from '../../plugins/upstreams/evidence.ts'
import type { AttemptRecord } from '../../plugins/upstreams/exchange.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { eventually, gatewayTo, idle, inflight, rawClient } from './support.ts'

async function silent(t: Parameters<typeof startFaulty>[0], setup: Parameters<typeof gatewayTo>[2] = {}) {
  const target = await startFaulty(t, () => {})
  const gateway = await gatewayTo(t, target.origin, setup)
  const outcomes: Outcome[] = []
  gateway.app.upstreams.subscribe((_target, outcome) => outcomes.push(outcome))
  const client = rawClient(t, gateway.port)
  return { target, gateway, outcomes, client }
}

/** The target hears of it, the lease is back, and nobody is blamed. */
async function cancelled({ target, gateway, outcomes }: Awaited<ReturnType<typeof silent>>): Promise<void> {
  await eventually(() => target.open.size === 0, 'the connection with the target is closed')
  await idle(gateway)
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['abandoned'],
  )
}

for (const [name, request] of Object.entries({
  'a GET': 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'a POST whose body was consumed': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi',
  'a chunked POST whose body was consumed':
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
  'a POST in the middle of its body':
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n',
  'a large POST in the middle of its body': `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhi`,
})) {
  for (const how of ['destroy', 'resetAndDestroy'] as const) {
    test(`${name} is cancelled when the client leaves (${how})`, async (t) => {
      const scene = await silent(t)
      scene.client.socket.write(request)
      await scene.target.arrived(1)
      scene.client.socket[how]()
      await cancelled(scene)
    })
  }
}

test('a body that is broken in the middle cancels the request', async (t) => {
  const scene = await silent(t)
  scene.client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n')
  await scene.target.arrived(1)
  scene.client.socket.write('no chunk\r\n')
  await cancelled(scene)
})

test('a client that leaves while its small body is gathered costs no target anything', async (t) => {
  const { target, gateway, client } = await silent(t)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhi')
  await once(gateway.app.server, 'request')
  client.socket.destroy()
  await eventually(() => gateway.app.server.connections === 0 || true, 'closed')
  await client.closed
  assert.equal(inflight(gateway), 0)
  assert.equal(target.requests.length, 0)
})

test('a client that left before the exchange began costs no target anything for long', async (t) => {
  let entered = (): void => {}
  const inside = new Promise<void>((resolve) => {
    entered = resolve
  })
  const scene = await silent(t, {
    use: async (app) => {
      app.addHook('preHandler', async (request) => {
        const left = once(request.raw.socket, 'close')
        entered()
        await left
        await new Promise((resolve) => setImmediate(resolve))
      })
    },
  })
  scene.client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await inside
  scene.client.socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  await idle(scene.gateway)
  assert.equal(scene.target.open.size, 0)
})

test('a stream is cancelled at the target when the client leaves in its middle', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 200 OK\nContent-Type: text/event-stream', 'data: 1\n\n')),
  )
  const gateway = await gatewayTo(t, target.origin)
  const client = rawClient(t, gateway.port)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('data: 1')
  client.socket.destroy()
  await eventually(() => target.open.size === 0, 'the connection with the target is closed')
  await idle(gateway)
})

test('requests that a client has pipelined are cancelled when it leaves, and those behind never begun', async (t) => {
  const target = await startFaulty(t, () => {})
  const gateway = await gatewayTo(t, target.origin)
  const client = rawClient(t, gateway.port)
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  client.socket.write(get('/slow') + get('/next') + get('/slow'))
  await target.arrived(1)
  client.socket.destroy()
  await eventually(() => target.open.size === 0, 'the connection with the target is closed')
  await idle(gateway)
  assert.equal(target.requests.length, 1)
})

test('pipelined requests are answered in their order', async (t) => {
  const target = await startFaulty(t, ({ socket, head }) => {
    const path = head.split(' ')[1] as string
    const answer = wire(`HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: ${path.length}`, path)
    if (path === '/first') setTimeout(() => socket.write(answer), 30)
    else socket.write(answer)
  })
  const { port } = await gatewayTo(t, target.origin)
  const client = rawClient(t, port)
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  client.socket.write(get('/first') + get('/second') + get('/third'))
  await client.until('/third')
  assert.deepEqual(client.received.match(/\/(first|second|third)/g), ['/first', '/second', '/third'])
})

test('what a client had waited for when it gave up is told; not if it was slow itself, or an answer had begun', (t) => {
  t.mock.method(performance, 'now', () => 5000)
  const record = { startedAt: 1000, sentAt: 2000 } as AttemptRecord
  const taken = (at: number) => ({ takenAt: () => at })
  const silentMs = (outcome: Outcome) => silenceOf(outcome)
  assert.equal(silentMs(givenUp(true, record)), 3000)
  assert.equal(silentMs(givenUp(true, { ...record, sentAt: undefined })), 4000, 'it never got a connection')
  assert.equal(silentMs(givenUp(true, record, taken(4500))), 500, 'the target took a piece of the body then')
  assert.equal(silentMs(givenUp(true, record, taken(5000))), 0, 'it is the client that is waited for')
  assert.equal(silentMs(givenUp(false, record)), undefined)
})
