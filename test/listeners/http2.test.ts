import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import http2 from 'node:http2'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { createAuthority } from '../support/certificates.ts'
import { listen, startTarget } from '../support/target.ts'
import { ask, askHttps, gatewayTo, inflight, session, until } from './support.ts'

const authority = createAuthority()
const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
const tls = { cert: own.cert, key: own.key }

/** A gateway on one port for HTTP/2 and HTTP/1.1, with TLS or without. */
async function both(
  t: TestContext,
  origin: string,
  secure: boolean,
  config: Parameters<typeof gatewayTo>[2] = {},
) {
  const started = await gatewayTo(t, origin, {
    ...config,
    server: { http2: true, ...(secure ? { tls } : {}), ...config.server },
  })
  const url = `${secure ? 'https' : 'http'}://localhost:${started.port}`
  const client = session(t, url, { ca: authority.cert })
  return { ...started, client, url }
}

for (const secure of [true, false]) {
  const kind = secure ? 'TLS' : 'plain'

  test(`${kind}: a request over HTTP/2 is forwarded, with the authority as host`, async (t) => {
    const target = await startTarget(t, (_seen, response) => {
      response.setHeader('content-type', 'text/plain')
      response.setHeader('connection', 'keep-alive, x-hop')
      response.setHeader('x-hop', '1')
      response.setHeader('x-own', '1')
      response.end('hello')
    })
    const { client, port } = await both(t, target.origin, secure)
    const answer = await ask(client, { ':path': '/a/b?x=1', 'x-sent': 'yes', cookie: ['a=1', 'b=2'] })
    assert.equal(answer.status, 200)
    assert.equal(String(answer.body), 'hello')
    assert.equal(answer.headers['x-own'], '1')
    for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'x-hop']) {
      assert.equal(answer.headers[name], undefined, name)
    }
    const seen = target.seen[0]
    assert.equal(seen?.url, '/a/b?x=1')
    assert.equal(seen?.headers.host, `localhost:${port}`)
    assert.equal(seen?.headers['x-sent'], 'yes')
    assert.equal(seen?.headers.cookie, 'a=1; b=2')
    assert.equal(seen?.headers['x-forwarded-proto'], secure ? 'https' : 'http')
    assert.match(String(seen?.headers['x-forwarded-for']), /^(127\.0\.0\.1|::1)$/)
    assert.match(String(seen?.headers.via), /^2(\.0)? holdfast$/)
  })

  test(`${kind}: HTTP/1.1 is spoken on the same port`, async (t) => {
    const target = await startTarget(t)
    const { port } = await both(t, target.origin, secure)
    if (secure) {
      const answer = await askHttps(port, {
        ca: authority.cert,
        servername: 'localhost',
        ALPNProtocols: ['http/1.1'],
      })
      assert.deepEqual(answer, { status: 200, httpVersion: '1.1', body: 'ok' })
      const noAlpn = await askHttps(port, { ca: authority.cert, servername: 'localhost' })
      assert.equal(noAlpn.status, 200)
    } else {
      const answer = await fetch(`http://127.0.0.1:${port}/`)
      assert.equal(await answer.text(), 'ok')
      const post = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x'.repeat(500_000) })
      assert.equal(await post.text(), 'ok')
      assert.equal(target.seen[1]?.body.length, 500_000)
    }
  })

  test(`${kind}: a WebSocket on the port that offers HTTP/2`, async (t) => {
    const echo = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
    await once(echo, 'listening')
    t.after(() => echo.close())
    const { port } = await both(t, `http://127.0.0.1:${(echo.address() as { port: number }).port}`, secure)
    const client = new WebSocket(`${secure ? 'wss' : 'ws'}://localhost:${port}`, { ca: authority.cert })
    await once(client, 'open')
    client.send(Buffer.alloc(300_000, 1))
    const [data] = await once(client, 'message')
    assert.equal(data.length, 300_000)
    client.close(4001)
    assert.equal((await once(client, 'close'))[0], 4001)
  })

  test(`${kind}: 404, 405, a redirect and an answer of our own`, async (t) => {
    const target = await startTarget(t)
    const { client } = await both(t, target.origin, secure, {
      routes: [
        { path: '/get', methods: ['GET'], upstream: 'one' },
        { path: '/away', redirect: { to: 'https://example.com/' } },
        { path: '/said', respond: { status: 200, body: 'said' } },
      ],
    })
    const missing = await ask(client, { ':path': '/nothing' })
    assert.equal(missing.status, 404)
    assert.match(String(missing.headers['content-type']), /problem\+json/)
    const wrong = await ask(client, { ':path': '/get', ':method': 'POST' }, 'x')
    assert.equal(wrong.status, 405)
    assert.match(String(wrong.headers.allow), /GET/)
    assert.equal((await ask(client, { ':path': '/away' })).headers.location, 'https://example.com/')
    assert.equal(String((await ask(client, { ':path': '/said' })).body), 'said')
    assert.equal((await ask(client, { ':path': '/get', ':method': 'HEAD' })).status, 200)
  })

  test(`${kind}: large bodies both ways, many at once`, async (t) => {
    const target = await listen(async (request, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' })
      response.end(await buffer(request))
    })
    t.after(() => target.close())
    const { client, app } = await both(t, target.origin, secure)
    const body = Buffer.alloc(1024 * 1024, 5)
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(() => ask(client, { ':path': '/', ':method': 'POST' }, body)),
    )
    for (const answer of answers) assert.ok(answer.body.equals(body))
    const small = await ask(client, { ':path': '/', ':method': 'PUT' }, 'small, and no length is told')
    assert.equal(String(small.body), 'small, and no length is told')
    const stream = client.request({ ':path': '/', ':method': 'POST' })
    createReadStream(import.meta.filename).pipe(stream)
    assert.match(String(await buffer(stream)), /createReadStream/)
    assert.equal(inflight(app), 0)
  })

  test(`${kind}: a body over the limit is 413, and the session lives on`, async (t) => {
    const target = await startTarget(t)
    const { client, app } = await both(t, target.origin, secure, { server: { bodyLimit: '100KiB' } })
    const told = await ask(
      client,
      { ':path': '/', ':method': 'POST', 'content-length': 200 * 1024 },
      Buffer.alloc(200 * 1024),
    )
    assert.equal(told.status, 413)
    const untold = await ask(client, { ':path': '/', ':method': 'POST' }, Buffer.alloc(200 * 1024))
    assert.equal(untold.status, 413)
    assert.equal((await ask(client, { ':path': '/' })).status, 200)
    assert.equal(inflight(app), 0)
  })

  test(`${kind}: a cancelled stream cancels the attempt`, async (t) => {
    const reached = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    let streaming = false
    const target = await listen((request, response) => {
      if (streaming) response.write('first')
      response.once('close', () => gone.resolve())
      request.resume()
      reached.resolve()
    })
    t.after(() => target.close())
    const { client, app } = await both(t, target.origin, secure)
    const stream = client.request({ ':path': '/' })
    stream.on('error', () => {})
    await reached.promise
    assert.equal(inflight(app), 1)
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await gone.promise
    await until(() => inflight(app) === 0, 'nothing in flight')

    streaming = true
    const second = client.request({ ':path': '/' })
    second.on('error', () => {})
    await once(second, 'data')
    second.close(http2.constants.NGHTTP2_CANCEL)
    await until(() => inflight(app) === 0, 'nothing in flight after a stream')
  })

  test(`${kind}: an upstream that dies in the middle resets the stream and not the session`, async (t) => {
    const target = await listen((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('part')
      setTimeout(() => response.destroy(), 20)
    })
    t.after(() => target.close())
    const { client, app } = await both(t, target.origin, secure)
    const stream = client.request({ ':path': '/' })
    stream.on('error', () => {})
    stream.resume()
    await new Promise((resolve) => stream.once('close', resolve))
    assert.notEqual(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR)
    assert.equal(client.destroyed, false)
    await until(() => inflight(app) === 0, 'nothing in flight')
  })

  test(`${kind}: CONNECT and a second host are refused`, async (t) => {
    const target = await startTarget(t)
    const { client } = await both(t, target.origin, secure)
    const tunnel = client.request({ ':method': 'CONNECT', ':authority': 'example.com:443' })
    const [headers] = await once(tunnel, 'response')
    assert.equal(headers[':status'], 501)
    tunnel.close()
    const twice = await ask(client, { ':path': '/', ':authority': 'a.example', host: 'other.example' })
    assert.equal(twice.status, 400)
    assert.equal(target.seen.length, 0)
  })

  test(`${kind}: sessions end when the gateway stops, and what is under way is finished`, async (t) => {
    const answer = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const target = await listen(async (_request, response) => {
      reached.resolve()
      await answer.promise
      response.end('finished')
    })
    t.after(() => target.close())
    const { client, app } = await both(t, target.origin, secure)
    const idle = session(
      t,
      `${secure ? 'https' : 'http'}://localhost:${(app.server.address() as { port: number }).port}`,
      {
        ca: authority.cert,
      },
    )
    await once(idle, 'connect')
    const waiting = ask(client, { ':path': '/' })
    await reached.promise
    const closing = app.close()
    await once(idle, 'close')
    answer.resolve()
    assert.equal(String((await waiting).body), 'finished')
    await closing
  })
}

for (const secure of [true, false]) {
  test(`${secure ? 'TLS' : 'plain'}: a session ends once it has served its number of requests`, async (t) => {
    const target = await startTarget(t)
    const { client } = await both(t, target.origin, secure, { server: { requestsPerConnection: 2 } })
    const closed = once(client, 'close')
    assert.equal((await ask(client, { ':path': '/' })).status, 200)
    assert.equal((await ask(client, { ':path': '/' })).status, 200)
    await closed
  })
}

test('plain: a preface in pieces, and a connection that says nothing', async (t) => {
  const target = await startTarget(t)
  const { port } = await both(t, target.origin, false, { server: { headersTimeout: 200 } })
  const socket = connect(port, '127.0.0.1')
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
  for (const piece of [preface.slice(0, 1), preface.slice(1, 9), preface.slice(9)]) {
    socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  // An empty SETTINGS frame of ours; theirs comes back.
  socket.write(Buffer.from('000000040000000000', 'hex'))
  const [frame] = await once(socket, 'data')
  assert.equal(frame[3], 4)
  socket.destroy()
  const silent = connect(port, '127.0.0.1')
  await once(silent.resume(), 'close')
})
