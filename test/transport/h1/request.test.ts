import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { H1RequestOptions } from '../../../plugins/transport/h1/types.ts'
import { eventually } from '../support.ts'
import { byteServer, OK, pass, poolTo, send } from './support.ts'

/** A server that answers once what came ends with `end`, and keeps all that came. */
async function reading(t: Parameters<typeof byteServer>[0], end: string) {
  const server = { port: 0, text: '', sockets: [] as Socket[] }
  const { port, sockets } = await byteServer(t, (socket) => {
    socket.on('data', (data) => {
      server.text += data.toString('latin1')
      if (server.text.endsWith(end)) socket.write(OK)
    })
  })
  return Object.assign(server, { port, sockets })
}

const REFUSED: readonly (readonly [string, Partial<H1RequestOptions>])[] = [
  ['no host', { headers: [] }],
  ['two hosts', { headers: ['host', 'a', 'Host', 'b'] }],
  ['CR LF in a value', { headers: ['host', 'a', 'x', 'y\r\nz: 1'] }],
  ['CR in a value', { headers: ['host', 'a\r'] }],
  ['LF in a value', { headers: ['host', 'a', 'x', '\n'] }],
  ['NUL in a value', { headers: ['host', 'a', 'x', '\0'] }],
  ['a character whose low byte is LF', { headers: ['host', 'a', 'x', 'y\u010a'] }],
  ['a value that is no string', { headers: ['host', 'a', 'x'] }],
  ['a name with a colon', { headers: ['host', 'a', 'x:', 'y'] }],
  ['a name with a line end', { headers: ['host', 'a', 'x\r\ny', 'z'] }],
  ['an empty name', { headers: ['host', 'a', '', 'z'] }],
  ['a name beyond ASCII', { headers: ['host', 'a', 'x\u0178', 'z'] }],
  ['transfer-encoding', { headers: ['host', 'a', 'Transfer-Encoding', 'chunked'] }],
  ['connection', { headers: ['host', 'a', 'connection', 'close'] }],
  ['upgrade', { headers: ['host', 'a', 'upgrade', 'x'] }],
  ['a length without a body', { headers: ['host', 'a', 'content-length', '5'] }],
  ['two lengths', { headers: ['host', 'a', 'content-length', '0', 'Content-Length', '0'] }],
  ['a length that is none', { headers: ['host', 'a', 'content-length', '0x0'] }],
  [
    'a length beside the body',
    { headers: ['host', 'a', 'content-length', '5'], body: Buffer.from('six...') },
  ],
  ['a space in the path', { path: '/a b' }],
  ['a line end in the path', { path: '/a\r\nx:y' }],
  ['a path beyond latin1', { path: '/\u010a' }],
  ['no path', { path: '' }],
  ['a method with a space', { method: 'GET /' }],
  ['CONNECT', { method: 'CONNECT' }],
]
for (const [name, options] of REFUSED) {
  test(`refused before it is sent: ${name}`, async (t) => {
    const { port, sockets } = await byteServer(t, () => {})
    const { error, starts, ends } = send(poolTo(t, port), options)
    assert.match(error?.code ?? '', /^UND_ERR_(?:INVALID_ARG|NOT_SUPPORTED)$/)
    assert.deepEqual([starts, ends, sockets.length], [0, 1, 0])
  })
}

const BODIES: readonly (readonly [string, Partial<H1RequestOptions>, RegExp])[] = [
  ['GET without a body', {}, /keep-alive\r\n\r\n$/],
  [
    'GET with length 0',
    { headers: ['host', 'a', 'content-length', '0'] },
    /length: 0\r\nconnection: keep-alive\r\n\r\n$/,
  ],
  ['POST without a body', { method: 'POST' }, /content-length: 0\r\n\r\n$/],
  ['PATCH with an empty one', { method: 'PATCH', body: Buffer.alloc(0) }, /content-length: 0\r\n\r\n$/],
  [
    'bytes',
    { method: 'POST', body: Buffer.from([0, 10, 128, 255]) },
    /content-length: 4\r\n\r\n\0\n\x80\xff$/,
  ],
  [
    'their length',
    { method: 'PUT', headers: ['host', 'a', 'Content-Length', '2'], body: Buffer.from('ab') },
    /^PUT \/ HTTP\/1.1\r\nhost: a\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\nab$/,
  ],
  [
    'many bytes',
    { method: 'POST', body: Buffer.alloc(100_000, 'z') },
    /content-length: 100000\r\n\r\nz{100000}$/,
  ],
]
for (const [name, options, expected] of BODIES) {
  test(`sent: ${name}`, async (t) => {
    const size =
      options.body instanceof Buffer && options.body.length > 0 ? options.body.toString('latin1') : '\r\n\r\n'
    const server = await reading(t, size)
    assert.equal((await send(poolTo(t, server.port), { ...options }).over).body, 'ok')
    assert.match(server.text, expected)
  })
}

test('a stream goes in chunks, or raw if its length is given; then the connection is free', async (t) => {
  const chunked = await reading(t, '0\r\n\r\n')
  const pool = poolTo(t, chunked.port)
  const body = Readable.from([Buffer.from('abc'), Buffer.alloc(0), Buffer.from('0123456789')])
  assert.equal((await send(pool, { method: 'POST', body }).over).body, 'ok')
  assert.match(chunked.text, /transfer-encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n$/)
  assert.equal(pool.stats.free, 1)

  const raw = await reading(t, '789')
  const headers = ['host', 'a', 'content-length', '10']
  const other = poolTo(t, raw.port)
  const parts = Readable.from([Buffer.from('0123'), Buffer.from('456789')])
  assert.equal((await send(other, { method: 'POST', headers, body: parts }).over).body, 'ok')
  assert.match(raw.text, /keep-alive\r\n\r\n0123456789$/)
  assert.equal(other.stats.free, 1)
})

for (const [name, parts] of [
  ['shorter', ['0123']],
  ['longer', ['0123456789', 'smuggled']],
] as const) {
  test(`a stream that is ${name} than its length closes the connection`, async (t) => {
    const server = await reading(t, 'never')
    const pool = poolTo(t, server.port)
    const headers = ['host', 'a', 'content-length', '10']
    const body = Readable.from(parts.map((part) => Buffer.from(part)))
    const { error, ends } = await send(pool, { method: 'POST', headers, body }).over
    assert.deepEqual([error?.code, ends], ['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 1])
    assert.equal(pool.stats.connected, 0)
    await eventually(() => server.sockets[0]?.closed === true, 'closed')
    assert.doesNotMatch(server.text, /smuggled/)
  })
}

test('an error of the body ends the request: before, while it waits, and on the way', async (t) => {
  const server = await reading(t, 'never')
  const pool = poolTo(t, server.port, { connections: 1 })
  const gone = new Readable({ read() {} })
  gone.destroy()
  assert.equal((await send(pool, { method: 'POST', body: gone }).over).error?.code, 'UND_ERR_ABORTED')
  const running = new Readable({ read() {} })
  const waiting = new Readable({ read() {} })
  const first = send(pool, { method: 'POST', body: running })
  const second = send(pool, { method: 'POST', body: waiting })
  await eventually(() => server.text.length > 0, 'started')
  waiting.destroy(new Error('left the queue'))
  assert.deepEqual([(await second.over).error?.message, second.starts], ['left the queue', 0])
  running.destroy(new Error('left'))
  assert.equal((await first.over).error?.message, 'left')
  await pass(5)
  assert.deepEqual([first.ends, second.ends, second.starts, pool.stats.queued], [1, 1, 0, 0])
})

test('an answer before the end of the body: it is delivered, the connection closed, the body ended', async (t) => {
  const server = await reading(t, 'abc\r\n')
  const pool = poolTo(t, server.port)
  const body = new Readable({ read() {} })
  body.push('abc')
  assert.equal((await send(pool, { method: 'POST', body }).over).body, 'ok')
  assert.deepEqual([pool.stats.connected, body.destroyed], [0, true])
})

test('a target that does not read holds up the body', async (t) => {
  const { port, sockets } = await byteServer(t, (socket) => void socket.pause())
  let pulled = 0
  const piece = Buffer.alloc(65_536)
  const body = new Readable({
    read() {
      pulled += piece.length
      this.push(pulled > 64 * 1024 * 1024 ? null : piece)
    },
  })
  const got = send(poolTo(t, port), { method: 'POST', body })
  await pass(200)
  const before = pulled
  assert.ok(before > 0 && before < 48 * 1024 * 1024, `${before}`)
  await pass(50)
  assert.equal(pulled, before)
  let received = 0
  sockets[0]?.on('data', (data) => {
    received += data.length
    if (data.toString('latin1').endsWith('0\r\n\r\n')) sockets[0]?.write(OK)
  })
  sockets[0]?.resume()
  assert.equal((await got.over).body, 'ok')
  assert.ok(received > 64 * 1024 * 1024)
})
