import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest } from '../support/gateway.ts'
import { listen, startTarget } from '../support/target.ts'
import { ask, gatewayTo } from './support.ts'

test('HEAD keeps the connection with the target and the length of the body', async (t) => {
  const sockets = new Set<unknown>()
  const target = await listen((request, response) => {
    sockets.add(request.socket)
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 1_000_000 }).end()
  })
  t.after(() => target.close())
  const { port } = await gatewayTo(t, target.origin)
  for (let i = 0; i < 3; i++) {
    const { status, headers, body } = await ask(port, { method: 'HEAD' })
    assert.equal(status, 200)
    assert.equal(headers['content-length'], '1000000')
    assert.equal(body.length, 0)
  }
  assert.equal(sockets.size, 1)
})

for (const type of ['text/event-stream', 'text/plain', undefined]) {
  test(`HEAD without a length, of type ${type}`, async (t) => {
    const target = await startTarget(t, (_seen, response) => {
      if (type !== undefined) response.setHeader('content-type', type)
      response.setHeader('x-end', '1')
      response.end()
    })
    const { port } = await gatewayTo(t, target.origin)
    const { status, headers, body, complete } = await ask(port, { method: 'HEAD' })
    assert.equal(status, 200)
    assert.equal(headers['content-type'], type)
    assert.equal(headers['content-length'], undefined)
    assert.equal(headers['x-end'], '1')
    assert.equal(body.length, 0)
    assert.ok(complete)
  })
}

test('a 304 with a Content-Length keeps it and has no body', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 304 Not Modified\nETag: "a"\nContent-Length: 123')),
  )
  const { port } = await gatewayTo(t, target.origin)
  for (let i = 0; i < 2; i++) {
    const { status, headers, body } = await ask(port)
    assert.equal(status, 304)
    assert.equal(headers.etag, '"a"')
    assert.equal(headers['content-length'], '123')
    assert.equal(body.length, 0)
  }
})

test('a 304 with a Content-Length beyond what is gathered', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 304 Not Modified\nContent-Length: 1000000')),
  )
  const { port } = await gatewayTo(t, target.origin)
  const { status, body, complete } = await ask(port)
  assert.equal(status, 304)
  assert.equal(body.length, 0)
  assert.ok(complete)
})

test('a 204 has neither body nor length', async (t) => {
  const target = await startTarget(t, (_seen, response) => response.writeHead(204, { 'x-end': '1' }).end())
  const { port } = await gatewayTo(t, target.origin)
  const text = await rawRequest(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 204 /)
  assert.match(text, /x-end: 1/)
  assert.doesNotMatch(text, /content-length|transfer-encoding/i)
})

for (const type of ['application/json', undefined]) {
  test(`an empty 200 of type ${type} has a length of 0`, async (t) => {
    const target = await startTarget(t, (_seen, response) => {
      if (type !== undefined) response.setHeader('content-type', type)
      response.end()
    })
    const { port } = await gatewayTo(t, target.origin)
    const { status, headers, body } = await ask(port)
    assert.equal(status, 200)
    assert.equal(headers['content-length'], '0')
    assert.equal(headers['content-type'], type)
    assert.equal(body.length, 0)
  })
}

test('an answer whose end is the end of the connection arrives whole', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.end(wire('HTTP/1.0 200 OK\nContent-Type: text/plain', 'all of it')),
  )
  const { port } = await gatewayTo(t, target.origin)
  const { status, body, complete } = await ask(port)
  assert.equal(status, 200)
  assert.equal(body.toString(), 'all of it')
  assert.ok(complete)
})

test('gzip passes untouched, with its headers', async (t) => {
  const packed = gzipSync('hello '.repeat(1000))
  const target = await startTarget(t, (_seen, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip', vary: 'x' })
    response.end(packed)
  })
  const { port } = await gatewayTo(t, target.origin)
  const { headers, body } = await ask(port, { headers: { 'Accept-Encoding': 'gzip' } })
  assert.equal(headers['content-encoding'], 'gzip')
  assert.equal(headers['content-type'], 'text/plain')
  assert.equal(target.seen[0]?.headers['accept-encoding'], 'gzip')
  assert.ok(body.equals(packed))
})
