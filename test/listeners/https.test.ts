import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { type TestContext, test } from 'node:test'
import { connect as connectTls, type SecureVersion } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import { createAuthority } from '../support/certificates.ts'
import { buildGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { listen, startTarget } from '../support/target.ts'
import { askHttps, gatewayTo, session } from './support.ts'

const authority = createAuthority()
const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
const tls = { cert: own.cert, key: own.key }
const trusting = { ca: authority.cert, servername: 'localhost' }

async function problemsOf(config: object): Promise<string> {
  const upstreams = { one: { targets: [{ origin: 'http://127.0.0.1:1' }] } }
  const error = await buildGateway({ upstreams, routes: [{ path: '/*', upstream: 'one' }], ...config }).then(
    () => undefined,
    (error: Error) => error,
  )
  return error?.message ?? ''
}

/** Connects with `options` and says which protocol came of it, or the error. */
async function handshake(port: number, options: object): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, ...trusting, ...options })
  const failed = once(socket, 'error').then(([error]) => (error as NodeJS.ErrnoException).code ?? 'error')
  const done = once(socket, 'secureConnect').then(() => socket.getProtocol() ?? 'none')
  done.catch(() => {})
  const result = await Promise.race([done, failed])
  socket.destroy()
  return result
}

test('HTTPS on the main port, from files, with the scheme told to the target', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, {
    server: { tls: { cert: own.certFile, key: own.keyFile } },
  })
  assert.deepEqual(await askHttps(port, trusting), { status: 200, httpVersion: '1.1', body: 'ok' })
  assert.equal(target.seen[0]?.headers['x-forwarded-proto'], 'https')
})

test('nothing below TLS 1.2 is spoken', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, { server: { tls } })
  const only = (version: SecureVersion) =>
    handshake(port, { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' })
  assert.equal(await only('TLSv1.2'), 'TLSv1.2')
  assert.equal(await only('TLSv1.3'), 'TLSv1.3')
  assert.match(await only('TLSv1.1'), /ERR_SSL|ECONNRESET/)
})

for (const http2 of [false, true]) {
  test(`mTLS${http2 ? ' with HTTP/2' : ''}: only clients of the authority are let in`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, {
      server: { http2, tls: { ...tls, clientCa: authority.cert } },
    })
    const client = authority.issue('client')
    const known = await askHttps(port, { ...trusting, cert: client.cert, key: client.key })
    assert.equal(known.status, 200)
    await assert.rejects(askHttps(port, trusting))
    const stranger = createAuthority('Other CA').issue('client')
    await assert.rejects(askHttps(port, { ...trusting, cert: stranger.cert, key: stranger.key }))
    assert.equal(target.seen.length, 1)
  })
}

test('a WebSocket over TLS: messages, half-close and the ends of both', async (t) => {
  const echo = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  await once(echo, 'listening')
  t.after(() => echo.close())
  const { port } = await gatewayTo(t, `http://127.0.0.1:${(echo.address() as { port: number }).port}`, {
    server: { tls },
  })
  const client = new WebSocket(`wss://localhost:${port}`, { ca: authority.cert })
  await once(client, 'open')
  client.send(Buffer.alloc(500_000, 3))
  const [data] = await once(client, 'message')
  assert.equal(data.length, 500_000)
  client.close(4001)
  assert.equal((await once(client, 'close'))[0], 4001)
})

async function extra(t: TestContext, origin: string, entry: object, more: object = {}) {
  const port = await freePort()
  const started = await gatewayTo(t, origin, { listeners: [{ host: '127.0.0.1', port, ...entry }], ...more })
  return { ...started, main: started.port, port }
}

test('a second listener serves the same routes, over TLS and HTTP/2, with upgrades', async (t) => {
  const echo = new WebSocketServer({ noServer: true })
  const target = await listen((_request, response) => response.end('ok'))
  target.server.on('upgrade', (request, socket, head) =>
    echo.handleUpgrade(request, socket, head, (client) => client.send('hi')),
  )
  t.after(() => target.close())
  const { main, port } = await extra(t, target.origin, { tls, http2: true })
  assert.equal(await (await fetch(`http://127.0.0.1:${main}/`)).text(), 'ok')
  assert.equal((await askHttps(port, trusting)).body, 'ok')
  const client = session(t, `https://localhost:${port}`, { ca: authority.cert })
  const stream = client.request({ ':path': '/' })
  const [headers] = await once(stream, 'response')
  assert.equal(headers[':status'], 200)
  for (const url of [`ws://localhost:${main}`, `wss://localhost:${port}`]) {
    const socket = new WebSocket(url, { ca: authority.cert })
    const [data] = await once(socket, 'message')
    assert.equal(String(data), 'hi')
    socket.terminate()
  }
})

test('a second listener answers malformed and endless requests as the main one does', async (t) => {
  const target = await startTarget(t)
  const { port } = await extra(t, target.origin, {})
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'x-big': 'x'.repeat(20_000) } })
  assert.equal(answer.status, 431)
  assert.match(String(answer.headers.get('content-type')), /problem\+json/)
})

test('a redirecting listener sends everyone to https: at the same place', async (t) => {
  const target = await startTarget(t)
  const { port } = await extra(t, target.origin, { redirectToHttps: 443 })
  const get = async (path: string, host: string) => {
    const request = http.get({ host: '127.0.0.1', port, path, headers: { host }, agent: false })
    const [response] = await once(request, 'response')
    response.resume()
    return [response.statusCode, response.headers.location]
  }
  assert.deepEqual(await get('/a//b?x=1', 'example.com:8080'), [308, 'https://example.com/a//b?x=1'])
  assert.deepEqual(await get('//evil.example', '[::1]:80'), [308, 'https://[::1]//evil.example'])
  assert.deepEqual(await get('/', 'evil.example/@x'), [400, undefined])
  assert.deepEqual(await get('http://evil.example/', 'a'), [400, undefined])
  assert.equal(target.seen.length, 0)
})

test('listeners close with the app, and finish what is under way', async (t) => {
  const answer = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const target = await listen(async (_request, response) => {
    reached.resolve()
    await answer.promise
    response.end('finished')
  })
  t.after(() => target.close())
  const { app, port } = await extra(t, target.origin, {})
  const waiting = fetch(`http://127.0.0.1:${port}/`)
  await reached.promise
  const closing = app.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`))
  answer.resolve()
  assert.equal(await (await waiting).text(), 'finished')
  await closing
})

test('a port in use stops the start, says which and what to do, and leaves nothing open', async (t) => {
  const target = await startTarget(t)
  const config = (port: number) => ({
    server: { drain: 0 },
    upstreams: { one: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'one' }],
    listeners: [{ host: '127.0.0.1', port: free }, ...(port === 0 ? [] : [{ host: '127.0.0.1', port }])],
  })
  const free = await freePort()
  const refused = await buildGateway(config(target.port))
  await assert.rejects(refused.listen({ port: 0, host: '127.0.0.1' }), {
    message: new RegExp(
      `^listeners\\[1\\]\\.port: port ${target.port} on 127\\.0\\.0\\.1 is taken; stop what listens there .* or choose another$`,
    ),
    stack: /^listeners.*$/,
  })
  await refused.close()
  // The other one is free again.
  const again = await buildGateway(config(0))
  await again.listen({ port: 0, host: '127.0.0.1' })
  await again.close()

  const main = await buildGateway({ ...config(0), listeners: [] })
  await assert.rejects(
    main.listen({ port: target.port, host: '127.0.0.1' }),
    /the main port \(-p, FASTIFY_PORT or PORT\): port \d+ on 127\.0\.0\.1 is taken; stop what/,
  )
  await main.close()
})

test('an injected gateway binds nothing', async (t) => {
  const target = await startTarget(t)
  const gateway = await buildGateway({
    upstreams: { one: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'one' }],
    listeners: [{ host: '127.0.0.1', port: target.port }],
  })
  assert.equal((await gateway.inject('/')).statusCode, 200)
  await gateway.close()
})

test('what is wrong with listeners is told when the config is read', async () => {
  assert.match(
    await problemsOf({ listeners: [{ port: 8443 }, { port: 8443, host: '127.0.0.1' }] }),
    /listeners\[1\]\.port: listeners\[0\] is on port 8443 already; give it another port/,
  )
  assert.match(
    await problemsOf({ listeners: [{ port: 1, tls: { cert: own.cert } }] }),
    /listeners\[0\]\.tls\.key: is required/,
  )
  assert.match(
    await problemsOf({ server: { tls: { cert: '/no/such.pem', key: own.key } } }),
    /server\.tls\.cert: no file "\/no\/such\.pem"; give PEM text or the path of a PEM file/,
  )
  assert.match(
    await problemsOf({ server: { tls: { cert: own.keyFile, key: own.key } } }),
    /server\.tls\.cert: holds no certificate .*; give one in PEM form/,
  )
  const other = authority.issue('other')
  assert.match(
    await problemsOf({ listeners: [{ port: 1, tls: { cert: own.cert, key: other.key } }] }),
    /listeners\[0\]\.tls\.key: is not the key of the certificate/,
  )
  assert.match(
    await problemsOf({ listeners: [{ port: 1, tls, redirectToHttps: 443 }] }),
    /listeners\[0\]\.redirectToHttps: serves `https:` already/,
  )
  assert.equal(await problemsOf({ listeners: [{ port: 1, tls, http2: true }, { port: 2 }] }), '')
})

test('a certificate that ends soon is spoken of in the log', async (t) => {
  const target = await startTarget(t)
  const soon = authority.issue('localhost', { days: 5 })
  const lines: string[] = []
  await gatewayTo(
    t,
    target.origin,
    { server: { tls: { cert: soon.cert, key: soon.key } } },
    { log: (line) => lines.push(line) },
  )
  assert.match(lines.join(''), /the certificate of server\.tls expires in [45] days; renew it/)
})
