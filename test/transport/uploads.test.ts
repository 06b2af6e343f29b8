import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import http from 'node:http'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest } from '../support/gateway.ts'
import { listen } from '../support/target.ts'
import { ask, eventually, gatewayTo, idle, rawClient, settledCount } from './support.ts'

const MIB = 1024 * 1024

function* pieces(size: number): Generator<Buffer> {
  for (let i = 0; i < size / MIB; i++) yield Buffer.alloc(MIB, i)
}

test('50 MiB are uploaded whole', async (t) => {
  const hash = createHash('sha1')
  for (const piece of pieces(50 * MIB)) hash.update(piece)
  const target = await listen((request, response) => {
    const seen = createHash('sha1')
    request.on('data', (chunk) => seen.update(chunk))
    request.on('end', () => response.end(seen.digest('hex')))
  })
  t.after(() => target.close())
  const gateway = await gatewayTo(t, target.origin, { server: { bodyLimit: '64MiB' } })
  const { body } = await ask(gateway.port, { method: 'POST', body: Readable.from(pieces(50 * MIB)) })
  assert.equal(body.toString(), hash.digest('hex'))
  await idle(gateway)
})

test('a target that does not read holds the client back', async (t) => {
  const target = await listen((request) => request.pause())
  t.after(() => target.close())
  const gateway = await gatewayTo(t, target.origin, {
    server: { bodyLimit: '1GiB' },
    // A socket that is not read does not tell that its peer has gone: the deadline ends it.
    upstream: { timeouts: { response: 600 } },
  })
  const request = http.request({ port: gateway.port, host: '127.0.0.1', method: 'POST', agent: false })
  request.on('error', () => {})
  const piece = Buffer.alloc(64 * 1024)
  let written = 0
  const more = (): void => {
    while (written < 256 * MIB) {
      written += piece.length
      if (!request.write(piece)) return
    }
  }
  request.on('drain', more)
  more()
  await settledCount(() => written)
  assert.ok(written < 32 * MIB, `${Math.round(written / MIB)} MiB were taken`)
  request.destroy()
  await idle(gateway)
})

test('a body that says it is too large is a 413, and no target hears of it', async (t) => {
  const target = await startFaulty(t, () => {})
  const { port } = await gatewayTo(t, target.origin, { server: { bodyLimit: 1000 } })
  const text = await rawRequest(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 413 /)
  assert.match(text, /^connection: close$/im)
  assert.match(text, /GTW_BODY_TOO_LARGE/)
  assert.equal(target.requests.length, 0)
})

test('a body of exactly the limit passes', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 0')),
  )
  const { port } = await gatewayTo(t, target.origin, { server: { bodyLimit: 1000, replayBody: 0 } })
  for (const headers of [{ 'Content-Length': 1000 }, { 'Transfer-Encoding': 'chunked' }]) {
    const { status } = await ask(port, { method: 'POST', headers, body: Buffer.alloc(1000) })
    assert.equal(status, 200)
  }
})

test('a chunked body that grows too large is a 413, and its request upstream is aborted', async (t) => {
  const target = await startFaulty(t, () => {})
  const outcomes: string[] = []
  const gateway = await gatewayTo(t, target.origin, {
    server: { bodyLimit: 1000 },
    use: async (app) => app.upstreams.subscribe((_target, { kind }) => outcomes.push(kind)),
  })
  const client = rawClient(t, gateway.port)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n')
  await target.arrived(1)
  client.socket.write(`400\r\n${'x'.repeat(1024)}\r\n`)
  await client.until('}')
  assert.match(client.received, /^HTTP\/1\.1 413 /)
  await client.closed
  await eventually(() => target.open.size === 0, 'the request upstream is aborted')
  assert.deepEqual(outcomes, ['abandoned'], 'it is the client who sent too much, not the target who failed')
  await idle(gateway)
})

test('a client that goes on sending reads its 413 all the same', async (t) => {
  const target = await startFaulty(t, () => {})
  const gateway = await gatewayTo(t, target.origin, { server: { bodyLimit: 1000 } })
  for (let i = 0; i < 5; i++) {
    const client = rawClient(t, gateway.port)
    client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    const piece = `100000\r\n${'x'.repeat(MIB)}\r\n`
    for (let n = 0; n < 3; n++) client.socket.write(piece)
    await client.until('GTW_BODY_TOO_LARGE')
    await client.closed
  }
  await idle(gateway)
})

test('an answer that comes before the upload has ended reaches the client whole', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 403 Forbidden\nContent-Type: text/plain\nContent-Length: 2', 'no')),
  )
  const gateway = await gatewayTo(t, target.origin)
  const client = rawClient(t, gateway.port)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n')
  await client.until('\r\n\r\nno')
  assert.match(client.received, /^HTTP\/1\.1 403 /)
  assert.match(client.received, /^connection: close$/im)
  await client.closed
  await eventually(() => target.open.size === 0, 'the rest is not awaited')
  await idle(gateway)
})

test('an answer that streams while the upload runs does not end it', async (t) => {
  const target = await listen((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    request.pipe(response)
  })
  t.after(() => target.close())
  const gateway = await gatewayTo(t, target.origin)
  const client = rawClient(t, gateway.port)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n')
  await client.until('first')
  client.socket.write('6\r\nsecond\r\n')
  await client.until('second')
  client.socket.write('0\r\n\r\n')
  await client.until('0\r\n\r\n')
  await idle(gateway)
})

test('a target that dies in the middle of the upload is a 502', async (t) => {
  const target = await startFaulty(t, ({ socket }) => setImmediate(() => socket.resetAndDestroy()))
  const gateway = await gatewayTo(t, target.origin)
  const client = rawClient(t, gateway.port)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n')
  await client.until('}')
  assert.match(client.received, /^HTTP\/1\.1 502 /)
  await client.closed
  await idle(gateway)
})
