import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { rawRequest } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'
import { gatewayTo, inflight, until } from './support.ts'

function dial(port: number, bytes = ''): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  if (bytes !== '') socket.write(bytes, 'latin1')
  return socket
}

function problem(answer: string, status: number): void {
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
  assert.match(answer, /content-type: application\/problem\+json/i)
  assert.match(answer, /connection: close/i)
  assert.equal(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)).status, status)
}

for (const http2 of [false, true]) {
  test(`slow headers are cut after headersTimeout${http2 ? ', with HTTP/2 offered too' : ''}`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, { server: { headersTimeout: 300, http2 } })
    problem(await text(dial(port, 'GET / HTTP/1.1\r\nhost: a\r\nx-slow:')), 408)
    assert.equal(target.seen.length, 0)
  })
}

test('a slow body is cut after requestTimeout', async (t) => {
  const target = await startTarget(t)
  const { app, port } = await gatewayTo(t, target.origin, {
    server: { headersTimeout: 300, requestTimeout: 500 },
  })
  problem(await text(dial(port, 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf')), 408)
  const streamed = await text(
    dial(port, 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'),
  )
  assert.match(streamed, /^HTTP\/1\.1 408 /)
  assert.equal(target.seen.length, 0)
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test('an idle connection is closed, and one that has served its number of requests', async (t) => {
  const target = await startTarget(t)
  const idle = await gatewayTo(t, target.origin, { server: { keepAliveTimeout: 100 } })
  assert.match(
    await text(dial(idle.port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')),
    /^HTTP\/1\.1 200 .*\r\n\r\nok$/s,
  )
  const counted = await gatewayTo(t, target.origin, { server: { requestsPerConnection: 2 } })
  const answer = await text(dial(counted.port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(2)))
  assert.equal(answer.match(/HTTP\/1\.1 200/g)?.length, 2)
  assert.match(answer, /connection: close/i)
})

test('a connection that says nothing is closed', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, { server: { headersTimeout: 300 } })
  const socket = dial(port).resume()
  await once(socket, 'close')
})

test('headers too large are 431, chunk extensions too large 413', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  problem(await text(dial(port, `GET / HTTP/1.1\r\nhost: a\r\nx-big: ${'x'.repeat(20_000)}\r\n\r\n`)), 431)
  problem(await text(dial(port, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`)), 431)
  const chunk = `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}\r\na\r\n0\r\n\r\n`
  assert.match(await text(dial(port, chunk)), /^HTTP\/1\.1 413 /)
  assert.equal(target.seen.length, 0)
})

const HEAD = 'POST / HTTP/1.1\r\nhost: a\r\n'
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n'

/** Each would be taken for two requests by someone who reads lengths another way than the next one does. */
const SMUGGLING: Readonly<Record<string, string>> = {
  'length and encoding': `${HEAD}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'encoding and length': `${HEAD}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'two lengths': `${HEAD}content-length: 0\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'the same length twice': `${HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\nok`,
  'a list of lengths': `${HEAD}content-length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a signed length': `${HEAD}content-length: +${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a hexadecimal length': `${HEAD}content-length: 0x10\r\n\r\n${SMUGGLED}`,
  'an encoding nobody knows': `${HEAD}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'chunked not last': `${HEAD}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'an encoding hidden by a tab': `${HEAD}transfer-encoding:\tchunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'a space before the colon': `${HEAD}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'a folded line': `${HEAD}x-a: b\r\n transfer-encoding: chunked\r\n\r\n${SMUGGLED}`,
  'a folded encoding': `${HEAD}transfer-encoding:\r\n chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'a bare LF': `POST / HTTP/1.1\nhost: a\ncontent-length: 0\n\n${SMUGGLED}`,
  'a bare LF in the headers': `${HEAD}x-a: b\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a bare CR in the headers': `${HEAD}x-a: b\rcontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a NUL in the headers': `${HEAD}x-a: b\0c\r\ncontent-length: 0\r\n\r\n${SMUGGLED}`,
  'a bare LF behind a chunk size': `${HEAD}transfer-encoding: chunked\r\n\r\n0\n\n${SMUGGLED}`,
  'a bare LF in a chunk extension': `${HEAD}transfer-encoding: chunked\r\n\r\n2;\nxx\r\n${SMUGGLED.length.toString(16)}\r\n0\r\n\r\n${SMUGGLED}`,
  'a chunk longer than it says': `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n${SMUGGLED}`,
  'a chunk size too large': `${HEAD}transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n${SMUGGLED}`,
  'no colon': `${HEAD}nonsense\r\n\r\n${SMUGGLED}`,
  'two hosts': `GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n`,
  'no host': 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n',
  'no HTTP at all': 'hello there\r\n\r\n',
  'a version nobody speaks': `GET / HTTP/9.9\r\nhost: a\r\n\r\n${SMUGGLED}`,
}

for (const [name, bytes] of Object.entries(SMUGGLING)) {
  test(`smuggling: ${name}`, async (t) => {
    const target = await startTarget(t)
    const { app, port } = await gatewayTo(t, target.origin)
    const answer = await rawRequest(port, bytes, { timeoutMs: 1500 })
    assert.match(answer, /^HTTP\/1\.1 (400|413|501|505) /, answer.slice(0, 200))
    assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1)
    assert.equal(target.seen.filter(({ url }) => url === '/smuggled').length, 0)
    await until(() => inflight(app) === 0, 'nothing in flight')
  })
}

test('what is left over of the chunking does not reach the target', async (t: TestContext) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  const body = `4;name="v;a";x=y\r\nbody\r\n0;last\r\nx-trailer: 1\r\nhost: evil\r\n\r\n`
  const answer = await text(
    dial(port, `${HEAD}connection: close\r\ntransfer-encoding: ChUnKeD\r\n\r\n${body}`),
  )
  assert.match(answer, /^HTTP\/1\.1 200 /)
  const [seen] = target.seen
  assert.equal(target.seen.length, 1)
  assert.equal(seen?.body, 'body')
  assert.equal(seen?.headers.host, 'a')
  assert.equal(seen?.headers['x-trailer'], undefined)
})

test('pipelined requests are answered in their order', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    response.setHeader('content-type', 'text/plain')
    setTimeout(() => response.end(url), url === '/1' ? 50 : 0)
  })
  const { port } = await gatewayTo(t, target.origin)
  const requests = ['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nhost: a\r\n`)
  const answer = await text(dial(port, `${requests.join('\r\n')}connection: close\r\n\r\n`))
  assert.deepEqual(
    answer.match(/\r\n\r\n\/\d/g),
    ['/1', '/2', '/3'].map((path) => `\r\n\r\n${path}`),
  )
})
