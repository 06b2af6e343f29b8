import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { portFor } from '../support/ports.ts'
import { until } from '../support/until.ts'
import { ask, gatewayTo } from './support.ts'

test('a connection of HTTP/2 that is dead with no word of it is given up, and the next one serves', async (t) => {
  const server = http2.createServer((_request, response) => response.end('well'))
  const port = await portFor(server)
  const sockets: Socket[] = []
  let swallowed = 0
  const hole = createServer((socket) => {
    const inner = connect(port, '127.0.0.1')
    socket.pipe(inner).pipe(socket)
    for (const one of [socket, inner]) one.on('error', () => {})
    sockets.push(socket, inner)
  })
  const front = await portFor(hole)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
    hole.close()
  })
  const gateway = await gatewayTo(t, `http://127.0.0.1:${front}`, {
    upstream: {
      http2: true,
      timeouts: { response: '200ms' },
      failover: { retries: 0 },
      outlierDetection: false,
    },
  })
  assert.equal((await ask(gateway.port)).body.toString(), 'well')
  // Whatever is sent on the connections there are goes nowhere, as behind a NAT that has forgotten them.
  for (const socket of sockets) {
    socket.unpipe()
    socket.on('data', () => swallowed++).resume()
  }
  assert.equal((await ask(gateway.port)).status, 504)
  await until('a new connection', async () => (await ask(gateway.port)).status === 200, 8000)
  assert.ok(swallowed > 0)
})
