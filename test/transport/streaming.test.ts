import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { AnswerStream } from '../../plugins/transport/answer.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { ask, gatewayTo, idle, rawClient, settledCount } from './support.ts'

const MIB = 1024 * 1024

/** The head of the answer, its body still to come. */
function headOf(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    http.get({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject)
  })
}

test('server-sent events arrive one by one, as they are sent', async (t) => {
  let socket: Socket | undefined
  const target = await startFaulty(t, (request) => {
    socket = request.socket
    socket.write(wire('HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked'))
  })
  const { port } = await gatewayTo(t, target.origin)
  const client = rawClient(t, port)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  for (let i = 0; i < 3; i++) {
    await target.arrived(1)
    socket?.write(`9\r\ndata: ${i}\n\n\r\n`)
    await client.until(`data: ${i}`)
  }
})

for (const [name, head] of Object.entries({
  'an event stream': 'HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked',
  'a chunked answer': 'HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked',
  'a large answer': 'HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 1000000',
})) {
  test(`the head of ${name} reaches the client before its body comes`, async (t) => {
    const target = await startFaulty(t, ({ socket }) => socket.write(wire(head)))
    const { port } = await gatewayTo(t, target.origin)
    const client = rawClient(t, port)
    client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    client.socket.setTimeout(1000, () => client.socket.destroy())
    await client.until('\r\n\r\n')
    assert.match(client.received, /^HTTP\/1\.1 200 /)
  })
}

test('a chunked answer whose pieces come late is streamed', async (t) => {
  let socket: Socket | undefined
  const target = await startFaulty(t, (request) => {
    socket = request.socket
    socket.write(wire('HTTP/1.1 200 OK\nTransfer-Encoding: chunked', '5\r\nfirst\r\n'))
  })
  const { port } = await gatewayTo(t, target.origin)
  const client = rawClient(t, port)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('first')
  socket?.write('4\r\nlast\r\n0\r\n\r\n')
  await client.until('last')
  await client.until('0\r\n\r\n')
})

for (const framing of ['Content-Length: 268435456', 'X-None: 1'] as const) {
  test(`a client that stops reading stops the target (${framing})`, async (t) => {
    const piece = Buffer.alloc(64 * 1024, 'x')
    let written = 0
    const target = await startFaulty(t, ({ socket }) => {
      socket.write(wire(`HTTP/1.1 200 OK\nContent-Type: text/plain\n${framing}`))
      const more = (): void => {
        while (written < 256 * MIB) {
          written += piece.length
          if (!socket.write(piece)) return
        }
      }
      socket.on('drain', more)
      more()
    })
    const gateway = await gatewayTo(t, target.origin)
    const response = await headOf(gateway.port)
    response.once('readable', () => response.read(1))
    await settledCount(() => written)
    // What the kernel holds on the two loopback connections, and little more.
    assert.ok(written < 32 * MIB, `${Math.round(written / MIB)} MiB were taken`)
    response.destroy()
    await idle(gateway)
  })
}

test('a large answer arrives whole through a client that pauses', async (t) => {
  const size = 8 * MIB
  const target = await startFaulty(t, ({ socket }) => {
    socket.write(wire(`HTTP/1.1 200 OK\nContent-Length: ${size}`))
    socket.write(Buffer.alloc(size, 'x'))
  })
  const gateway = await gatewayTo(t, target.origin)
  const response = await headOf(gateway.port)
  let received = 0
  for await (const chunk of response) {
    received += (chunk as Buffer).length
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(received, size)
  assert.ok(response.complete)
  await idle(gateway)
})

/** Bodies too long, or not to be waited for, to be gathered. */
for (const [name, head, body] of [
  ['a length', 'HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 1000000', 'x'.repeat(100_000)],
  ['chunks', 'HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked', '5\r\nhello\r\n'],
  ['a broken chunk', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked', '5\r\nhello\r\n99\r\nshort'],
] as const) {
  for (const how of ['end', 'resetAndDestroy'] as const) {
    test(`a target that dies in the middle of ${name} truncates visibly (${how})`, async (t) => {
      const target = await startFaulty(t, ({ socket }) => {
        socket.write(wire(head, body), () => setTimeout(() => socket[how](), 20))
      })
      const gateway = await gatewayTo(t, target.origin, { upstream: { gatherWithin: 0 } })
      const { status, complete } = await ask(gateway.port)
      assert.equal(status, 200)
      assert.equal(complete, false)
      await idle(gateway)
    })
  }
}

test('a stream that breaks while a hook still looks at its head is a 502 that keeps nothing of it', async (t) => {
  const head = 'HTTP/1.1 200 OK\nSet-Cookie: a=1\nContent-Encoding: gzip\nCache-Control: public'
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(
      wire(`${head}\nContent-Type: text/event-stream\nTransfer-Encoding: chunked`, 'no chunk\r\n'),
    ),
  )
  const gateway = await gatewayTo(t, target.origin, {
    use: async (app) => {
      app.addHook('onSend', async () => new Promise((resolve) => setTimeout(resolve, 50)))
    },
  })
  const { status, headers, body } = await ask(gateway.port)
  assert.equal(status, 502)
  for (const name of ['set-cookie', 'content-encoding', 'cache-control'])
    assert.equal(headers[name], undefined, name)
  assert.equal(JSON.parse(body.toString()).code, 'GTW_UPSTREAM_PROTOCOL')
  await idle(gateway)
})

test('a target that dies with the head of a large answer is a 502 that keeps nothing of it', async (t) => {
  const target = await startFaulty(t, ({ socket }) => {
    const head = 'HTTP/1.1 200 OK\nSet-Cookie: a=1\nContent-Encoding: gzip\nCache-Control: public'
    socket.end(wire(`${head}\nContent-Type: text/plain\nContent-Length: 1000000`))
  })
  const gateway = await gatewayTo(t, target.origin)
  const { status, headers, body } = await ask(gateway.port)
  if (status !== 200) {
    assert.equal(status, 502)
    for (const name of ['set-cookie', 'content-encoding', 'cache-control'])
      assert.equal(headers[name], undefined, name)
    assert.equal(JSON.parse(body.toString()).code, 'GTW_UPSTREAM_RESET')
  }
  await idle(gateway)
})

test('a target that dies before the body of a small answer is whole is a 502', async (t) => {
  const target = await startFaulty(t, ({ socket }) => {
    socket.end(
      wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nSet-Cookie: a=1\nContent-Length: 100', 'short'),
    )
  })
  const gateway = await gatewayTo(t, target.origin, { upstream: { failover: { retries: 0 } } })
  const { status, headers, body, complete } = await ask(gateway.port)
  assert.equal(status, 502)
  assert.equal(headers['set-cookie'], undefined)
  assert.equal(JSON.parse(body.toString()).status, 502)
  assert.ok(complete)
  await idle(gateway)
})

test('a head or trailers that cannot be sent break their answer, and no process', async () => {
  const fail = (): never => {
    throw new Error('not to be sent')
  }
  for (const [broken, trailers] of [
    [{ flushHeaders: fail }, undefined],
    [{ addTrailers: fail, headersSent: true }, { 'x-sum': '1' }],
    [{ setHeader: fail, headersSent: false }, undefined],
  ] as const) {
    const response = Object.assign(new Writable({ write: (_chunk, _encoding, done) => done() }), {
      req: { method: 'GET', httpVersionMajor: 2 },
      statusCode: 200,
      headersSent: false,
      addTrailers() {},
      setHeader() {},
      flushHeaders() {},
      ...broken,
    })
    let cancelled = 0
    const source = { resume() {}, flows() {}, cancel: () => void cancelled++ }
    const stream = new AnswerStream(source, 'x-sum')
    const closed = once(stream, 'error')
    stream.pipe(response)
    if (trailers !== undefined) stream.finish(trailers)
    assert.match(String((await closed)[0]), /not to be sent/)
    assert.equal(cancelled, trailers === undefined ? 1 : 0)
    assert.equal(response.writableEnded, false, 'it does not look whole')
  }
})
