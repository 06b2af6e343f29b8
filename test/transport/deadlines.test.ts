import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { portFor } from '../support/ports.ts'
import { ask, type ClientAnswer, eventually, type Gateway, gatewayTo, idle, rawClient } from './support.ts'

type T = Parameters<typeof startFaulty>[0]

/** Timers must not fire early, and not later than this. */
const LATE = 100
/** A busy machine is late now and then; a timer that is late by itself always is. */
const TRIES = 10

async function timed(gateway: Gateway, after: number, options = {}): Promise<ClientAnswer> {
  for (let tries = 1; ; tries++) {
    const start = performance.now()
    const answer = await ask(gateway.port, options)
    const took = performance.now() - start
    assert.ok(took >= after - 2, `${Math.round(took)} ms are too early`)
    if (took <= after + LATE) return answer
    assert.ok(tries < TRIES, `${Math.round(took)} ms are too late`)
  }
}

function isTimeout({ status, body }: ClientAnswer): void {
  assert.equal(status, 504)
  assert.equal(JSON.parse(body.toString()).code, 'GTW_UPSTREAM_TIMEOUT')
}

/** A target that is silent, and a gateway that has answered once. */
async function scene(t: T, setup: { timeouts?: object; limits?: object; route?: object; server?: object }) {
  const target = await startFaulty(t, ({ socket, head }) => {
    const path = head.split(' ')[1]
    if (path === '/warm') socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 0'))
    if (path === '/head')
      socket.write(
        wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked', '1\r\nx\r\n'),
      )
    if (path === '/part') socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 10', 'part'))
    if (path === '/drip') {
      socket.write(wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 6'))
      let sent = 0
      const drip = setInterval(() => {
        socket.write('x')
        sent++
        if (sent === 6) clearInterval(drip)
      }, 60)
    }
  })
  const { route, server, ...upstream } = setup
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { failover: { retries: 0 }, ...upstream },
    ...(route === undefined ? {} : { route }),
    ...(server === undefined ? {} : { server }),
  })
  await ask(gateway.port, { url: '/warm' })
  return { target, gateway }
}

test('the response deadline is a 504 in time', async (t) => {
  const { gateway, target } = await scene(t, { timeouts: { response: 150 } })
  isTimeout(await timed(gateway, 150))
  await idle(gateway)
  await eventually(() => target.open.size === 0, 'the request upstream is aborted')
})

test('a response deadline that is shorter than the connect deadline counts from the sending', async (t) => {
  const { gateway } = await scene(t, { timeouts: { connect: 5000, response: 120 } })
  isTimeout(await timed(gateway, 120))
})

test('the idle deadline cuts a stream that has stopped', async (t) => {
  const { gateway } = await scene(t, { timeouts: { idle: 150 } })
  const { status, complete } = await timed(gateway, 150, { url: '/head' })
  assert.equal(status, 200)
  assert.equal(complete, false)
  await idle(gateway)
})

test('the idle deadline holds before the answer is committed too', async (t) => {
  const { gateway } = await scene(t, { timeouts: { idle: 150 } })
  isTimeout(await timed(gateway, 150, { url: '/part' }))
})

test('the idle deadline is between two pieces, not for the whole', async (t) => {
  const { gateway } = await scene(t, { timeouts: { idle: 150 } })
  const { status, body } = await ask(gateway.port, { url: '/drip' })
  assert.equal(status, 200)
  assert.equal(body.toString(), 'xxxxxx')
})

test('deadlines of 0 are none', async (t) => {
  const { gateway, target } = await scene(t, { timeouts: { connect: 0, response: 0, idle: 0 } })
  const client = rawClient(t, gateway.port)
  client.socket.write('GET /late HTTP/1.1\r\nHost: a\r\n\r\n')
  await target.arrived(2)
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal(client.received, '')
  target.requests[1]?.socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'))
  await client.until('ok')
})

test('a connection that is never accepted is given up in time', async (t) => {
  // TLS: the connection is there, the handshake never is.
  const server = createServer((socket) => t.after(() => socket.destroy()))
  await portFor(server)
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const gateway = await gatewayTo(t, `https://127.0.0.1:${port}`, {
    upstream: { failover: { retries: 0 }, timeouts: { connect: 200 } },
  })
  isTimeout(await timed(gateway, 200))
  await idle(gateway)
})

test('the time of a route is for all attempts together', async (t) => {
  const { gateway, target } = await scene(t, { timeouts: { response: 5000 }, route: { timeout: 150 } })
  isTimeout(await timed(gateway, 150))
  await idle(gateway)
  await eventually(() => target.open.size === 0, 'the request upstream is aborted')
})

test('an upload that takes longer than the response deadline is not cut while it moves', async (t) => {
  const { gateway, target } = await scene(t, { timeouts: { response: 120 } })
  const client = rawClient(t, gateway.port)
  client.socket.write('POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n')
  await target.arrived(2)
  for (let i = 0; i < 6; i++) {
    await new Promise((resolve) => setTimeout(resolve, 60))
    client.socket.write('2\r\nhi\r\n')
  }
  client.socket.write('0\r\n\r\n')
  target.requests[1]?.socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'))
  await client.until('\r\n\r\nok')
})

test('a client that stops in the middle of its upload is not the target’s failure', async (t) => {
  const { gateway, target } = await scene(t, { timeouts: { response: 80 } })
  const outcomes: Outcome[] = []
  gateway.app.upstreams.subscribe((_target, outcome) => outcomes.push(outcome))
  const client = rawClient(t, gateway.port)
  client.socket.write('POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n')
  await target.arrived(2)
  await new Promise((resolve) => setTimeout(resolve, 250))
  assert.deepEqual(outcomes, [])
  client.socket.destroy()
  await idle(gateway)
  assert.deepEqual(
    outcomes,
    [{ kind: 'abandoned', silentMs: 0 }],
    'it was not silent: it had nothing to answer yet',
  )
})

test('after a whole upload the response deadline counts from its end', async (t) => {
  const { gateway } = await scene(t, { timeouts: { response: 150 }, server: { replayBody: 0 } })
  isTimeout(await timed(gateway, 150, { method: 'POST', body: Buffer.alloc(200_000) }))
})

test('a gateway that stood still reads what has come before it calls anyone late', async (t) => {
  const target = await startFaulty(t, ({ socket, head }) => {
    socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'))
    if (head.startsWith('GET /warm ')) return
    const end = performance.now() + 400
    while (performance.now() < end);
  })
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { failover: { retries: 0 }, timeouts: { response: 200 } },
  })
  await ask(gateway.port, { url: '/warm' })
  assert.equal((await ask(gateway.port)).status, 200)
})

test('a client that pauses longer than the idle deadline does not cut its answer', async (t) => {
  const size = 16 * 1024 * 1024
  const target = await startFaulty(t, ({ socket }) => {
    socket.write(wire(`HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: ${size}`))
    socket.write(Buffer.alloc(size, 'x'))
  })
  const gateway = await gatewayTo(t, target.origin, { upstream: { timeouts: { idle: 100 } } })
  const client = rawClient(t, gateway.port)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await client.until('\r\n\r\n')
  for (const pause of [290, 195, 245]) {
    client.socket.pause()
    await new Promise((resolve) => setTimeout(resolve, pause))
    client.socket.resume()
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await client.closed
  assert.equal(client.received.length - client.received.indexOf('\r\n\r\n') - 4, size)
  await idle(gateway)
})
