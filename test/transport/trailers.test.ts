/** RFC 9110, 6.5: fields behind the body, both ways and in both versions. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { announcedTrailers, trailersOf } from '../../plugins/transport/trailers.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest } from '../support/gateway.ts'
import { portFor } from '../support/ports.ts'
import { listen, startTarget } from '../support/target.ts'
import { ask, gatewayTo, idle } from './support.ts'

const HEAD = 'HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked'
const END = '0\r\nX-Sum: 1\r\nX-Twice: a\r\nX-Twice: b\r\n'

const get = (port: number, head = ''): Promise<string> =>
  rawRequest(port, `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${head}\r\n`)

/** What a client is sent of this answer, byte for byte. */
async function through(t: TestContext, head: string, body: string, request?: string): Promise<string> {
  const target = await startFaulty(t, ({ socket }) => socket.write(wire(head, body)))
  const gateway = await gatewayTo(t, target.origin)
  const answer = await (request === undefined ? get(gateway.port) : rawRequest(gateway.port, request))
  await idle(gateway)
  return answer
}

for (const announced of [true, false]) {
  test(`the trailers of a small answer reach the client (${announced ? '' : 'un'}announced)`, async (t) => {
    const head = announced ? `${HEAD}\nTrailer: X-Sum, X-Twice, Content-Length` : HEAD
    const answer = await through(t, head, `2\r\nok\r\n${END}\r\n`)
    assert.equal(/^trailer: (.*)\r$/im.exec(answer)?.[1], announced ? 'X-Sum, X-Twice' : undefined)
    assert.match(answer, /^transfer-encoding: chunked\r$/im)
    assert.ok(answer.endsWith('\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\nx-twice: a\r\nx-twice: b\r\n\r\n'), answer)
  })
}

test('the trailers of an answer without a body, and of a long one, reach the client', async (t) => {
  assert.match(await through(t, HEAD, `${END}\r\n`), /\r\n\r\n0\r\nx-sum: 1\r\n/)
  const long = 'x'.repeat(500_000)
  const answer = await through(t, HEAD, `${long.length.toString(16)}\r\n${long}\r\n${END}\r\n`)
  assert.ok(answer.endsWith('\r\n0\r\nx-sum: 1\r\nx-twice: a\r\nx-twice: b\r\n\r\n'))
})

test('trailers that come long after the body reach the client, and the connection serves on', async (t) => {
  const target = await listen((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', trailer: 'x-sum' })
    response.write('data: 1\n\n')
    setTimeout(() => {
      response.addTrailers({ 'x-sum': 'late' })
      response.end()
    }, 30)
  })
  t.after(() => target.close())
  const gateway = await gatewayTo(t, target.origin)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  for (let i = 0; i < 2; i++) {
    const [response] = await once(http.get({ host: '127.0.0.1', port: gateway.port, agent }), 'response')
    assert.equal(response.headers.trailer, 'x-sum')
    assert.equal(await text(response), 'data: 1\n\n')
    assert.deepEqual({ ...response.trailers }, { 'x-sum': 'late' })
  }
})

test('an announcement that nothing comes of does no harm', async (t) => {
  const answer = await through(t, `${HEAD}\nTrailer: X-Sum`, '2\r\nok\r\n0\r\n\r\n')
  assert.doesNotMatch(answer, /trailer|chunked/i)
  assert.match(answer, /\r\n\r\nok$/)
})

test('fields that may not come behind a body are dropped', async (t) => {
  const bad =
    'Set-Cookie: a=1\r\nCache-Control: no-store\r\nContent-Type: text/html\r\nConnection: close\r\nVia: 1.1 x\r\n'
  const answer = await through(t, HEAD, `2\r\nok\r\n0\r\n${bad}\r\n`)
  assert.match(answer, /^content-length: 2\r$/im)
  assert.match(answer, /\r\n\r\nok$/)
  assert.deepEqual(trailersOf({ ':status': '1', authorization: 'x', 'x-forwarded-for': 'x' }), undefined)
  // What would be another path or method to those who merge it with the headers: guards have not seen it.
  const other = { 'x-original-url': '/admin', 'x-rewrite-url': '/admin', x_http_method_override: 'DELETE' }
  assert.deepEqual(trailersOf(other), undefined)
  assert.deepEqual(trailersOf({ host: 'x', 'grpc-status': '0', digest: ['a', 'b'] }), {
    'grpc-status': '0',
    digest: ['a', 'b'],
  })
  assert.equal(announcedTrailers(['Host', 'Transfer-Encoding, ,']), undefined)
  assert.equal(announcedTrailers(['Digest', 'Age, X-Sum']), 'Digest, X-Sum')
})

test('a client of HTTP/1.0 and a HEAD get no trailers and no announcement', async (t) => {
  const head = `${HEAD}\nTrailer: X-Sum`
  const old = await through(t, head, `2\r\nok\r\n${END}\r\n`, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  assert.match(old, /\r\n\r\nok$/)
  assert.doesNotMatch(old, /trailer|x-sum|chunked/i)
  const none = await through(t, head, '', 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  assert.match(none, /^HTTP\/1\.1 200 /)
  assert.doesNotMatch(none, /trailer|x-sum/i)
})

test('a hook that puts another body in place of the answer sends it without its trailers', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire(`${HEAD}\nTrailer: X-Sum`, `2\r\nok\r\n${END}\r\n`)),
  )
  const { port } = await gatewayTo(t, target.origin, {
    use: async (app) => {
      app.addHook('onSend', async () => 'another')
    },
  })
  const answer = await get(port)
  assert.match(answer, /\r\n\r\nanother$/)
  assert.doesNotMatch(answer, /trailer|x-sum/i)
})

const chunked = (trailers: string, head = ''): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n${head}\r\n2\r\nhi\r\n0\r\n${trailers}\r\n`

test('trailers of a request reach the target, but those that speak for the gateway or repeat its headers', async (t) => {
  let got: NodeJS.Dict<string> = {}
  const target = await startTarget(t, (_seen, response, request) => {
    got = request.trailers
    response.end('ok')
  })
  const { port } = await gatewayTo(t, target.origin, {
    route: { requestHeaders: { set: { 'x-user': 'checked' } } },
  })
  const answer = await rawRequest(
    port,
    chunked(
      'X-Sum: 1\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: Basic x\r\nX-User: root\r\nHost: b\r\n',
      'Trailer: X-Sum, Host\r\n',
    ),
  )
  assert.match(answer, /^HTTP\/1\.1 200 /)
  assert.equal(target.seen[0]?.body, 'hi')
  assert.equal(target.seen[0]?.headers.trailer, 'X-Sum')
  assert.deepEqual({ ...got }, { 'x-sum': '1' })
  const without = await rawRequest(port, chunked(''))
  assert.match(without, /^HTTP\/1\.1 200 /)
  assert.equal(target.seen[1]?.headers.trailer, undefined)
  assert.deepEqual({ ...got }, {})
})

/** A target of HTTP/2 without TLS. */
async function grpcTarget(t: TestContext, answer: (stream: http2.ServerHttp2Stream, body: string) => void) {
  const server = http2.createServer()
  const headers: http2.IncomingHttpHeaders[] = []
  server.on('stream', async (stream: http2.ServerHttp2Stream, got) => {
    headers.push(got)
    answer(stream, await text(stream))
  })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  const port = await portFor(server)
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { origin: `http://127.0.0.1:${port}`, headers }
}

function client2(t: TestContext, port: number): http2.ClientHttp2Session {
  const client = http2.connect(`http://127.0.0.1:${port}`)
  client.on('error', () => {})
  t.after(() => client.destroy())
  return client
}

test('a call as gRPC makes it: HTTP/2 on both sides, its status behind the body or without one', async (t) => {
  const target = await grpcTarget(t, (stream, body) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }))
    stream.end(body === '' ? undefined : `got ${body}`)
  })
  const { port } = await gatewayTo(t, target.origin, { server: { http2: true }, upstream: { http2: true } })
  const client = client2(t, port)
  for (const body of ['call', '']) {
    const call = client.request({
      ':method': 'POST',
      ':path': '/s/m',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const trailers = once(call, 'trailers')
    call.end(body)
    assert.equal(await text(call), body === '' ? '' : 'got call')
    const [got] = await trailers
    assert.deepEqual([got['grpc-status'], got['grpc-message']], ['0', 'fine'])
  }
  assert.equal(target.headers[0]?.te, 'trailers')
  // The same answer for a client of HTTP/1.1.
  const answer = await rawRequest(port, chunked('').replace('POST /', 'POST /s/m'))
  assert.match(answer, /\r\n0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n$/)
})

test('a large answer of HTTP/2 with trailers is whole, however slowly its client takes it', async (t) => {
  const target = await grpcTarget(t, (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.alloc(300_000, 'x'))
  })
  const gateway = await gatewayTo(t, target.origin, { server: { http2: true }, upstream: { http2: true } })
  const client = client2(t, gateway.port)
  for (let i = 0; i < 5; i++) {
    const call = client.request({ ':path': '/' })
    const trailers = once(call, 'trailers')
    assert.equal((await text(call)).length, 300_000)
    assert.equal((await trailers)[0]['grpc-status'], '0')
    const { body, complete } = await ask(gateway.port)
    assert.deepEqual([body.length, complete], [300_000, true])
  }
  await idle(gateway)
})

test('trailers cross from HTTP/2 to HTTP/1.1 and back', async (t) => {
  let got: NodeJS.Dict<string> = {}
  const target = await startTarget(t, (_seen, response, request) => {
    got = request.trailers
    response.writeHead(200, { 'content-type': 'text/plain', trailer: 'x-sum' })
    response.write('ok')
    response.addTrailers({ 'x-sum': '1' })
    response.end()
  })
  const { port } = await gatewayTo(t, target.origin, { server: { http2: true } })
  const call = client2(t, port).request(
    { ':method': 'POST', ':path': '/', trailer: 'x-sent' },
    { waitForTrailers: true },
  )
  call.on('wantTrailers', () => call.sendTrailers({ 'x-sent': '2', cookie: 'a=1' }))
  const trailers = once(call, 'trailers')
  const head = once(call, 'response')
  call.end('hi')
  assert.equal(await text(call), 'ok')
  assert.equal((await head)[0].trailer, 'x-sum')
  assert.equal((await trailers)[0]['x-sum'], '1')
  assert.deepEqual({ ...got }, { 'x-sent': '2' })
  assert.equal(target.seen[0]?.headers.trailer, 'x-sent')
})
