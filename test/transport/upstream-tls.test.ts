import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import { gatewayTo, inflight } from '../listeners/support.ts'
import { createAuthority } from '../support/certificates.ts'

const authority = createAuthority()
const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
const named = authority.issue('service.internal')

interface TlsTarget {
  readonly port: number
  readonly requests: { host: string | undefined; sni: string | false | null; client: string | undefined }[]
  connections: number
  readonly server: https.Server
}

async function tlsTarget(t: TestContext, options: https.ServerOptions): Promise<TlsTarget> {
  const requests: TlsTarget['requests'] = []
  const server = https.createServer(options, (request: IncomingMessage, response) => {
    const socket = request.socket as TLSSocket & { servername: string | false | null }
    const { CN } = socket.getPeerCertificate().subject ?? {}
    requests.push({ host: request.headers.host, sni: socket.servername, client: CN as string | undefined })
    response.end('ok')
  })
  const target = { port: 0, requests, connections: 0, server }
  server.on('secureConnection', () => target.connections++)
  server.listen(0)
  await once(server, 'listening')
  target.port = (server.address() as AddressInfo).port
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return target
}

/** Status and body of a request for `/` with this Host. */
async function ask(port: number, host = 'client.example'): Promise<[number, string]> {
  const request = http.get({ host: '127.0.0.1', port, headers: { host }, agent: false })
  const [response] = await once(request, 'response')
  return [response.statusCode, await text(response)]
}

test('a target whose certificate nobody vouches for is refused, and the answer leaks nothing', async (t) => {
  const target = await tlsTarget(t, { cert: own.cert, key: own.key })
  const { app, port } = await gatewayTo(t, `https://localhost:${target.port}`)
  const [status, body] = await ask(port)
  assert.equal(status, 502)
  assert.match(body, /GTW_UPSTREAM_/)
  assert.doesNotMatch(body, /certificate|SELF_SIGNED|UNABLE|localhost/i)
  assert.equal(target.requests.length, 0)
  assert.equal(inflight(app), 0)
})

test('with its authority it is trusted; SNI is its own name whatever Host the client says', async (t) => {
  const target = await tlsTarget(t, { cert: own.cert, key: own.key })
  const { port } = await gatewayTo(t, `https://localhost:${target.port}`, {
    upstream: { tls: { ca: authority.certFile }, limits: { connections: 1 } },
  })
  for (const host of ['a.example', 'b.example', 'a.example', 'b.example']) {
    assert.deepEqual(await ask(port, host), [200, 'ok'])
  }
  assert.deepEqual(
    target.requests.map(({ host, sni }) => [host, sni]),
    ['a', 'b', 'a', 'b'].map((name) => [`${name}.example`, 'localhost']),
  )
  assert.equal(target.connections, 1)
})

test('an address is verified, though it cannot be asked for by name', async (t) => {
  const good = await tlsTarget(t, { cert: own.cert, key: own.key })
  const upstream = { tls: { ca: authority.cert } }
  const { port } = await gatewayTo(t, `https://127.0.0.1:${good.port}`, { upstream })
  assert.deepEqual(await ask(port), [200, 'ok'])
  assert.equal(good.requests[0]?.sni, false)
  const wrong = await tlsTarget(t, { cert: named.cert, key: named.key })
  const second = await gatewayTo(t, `https://127.0.0.1:${wrong.port}`, { upstream })
  assert.equal((await ask(second.port))[0], 502)
  assert.equal(wrong.requests.length, 0)
})

test('a certificate of another name is refused, unless that name is the one to ask for', async (t) => {
  const target = await tlsTarget(t, { cert: named.cert, key: named.key })
  const origin = `https://localhost:${target.port}`
  const wrong = await gatewayTo(t, origin, { upstream: { tls: { ca: authority.cert } } })
  assert.equal((await ask(wrong.port))[0], 502)
  const right = await gatewayTo(t, origin, {
    upstream: { tls: { ca: authority.cert, serverName: 'service.internal' }, host: 'target' },
  })
  assert.deepEqual(await ask(right.port), [200, 'ok'])
  assert.deepEqual(target.requests, [
    { host: `localhost:${target.port}`, sni: 'service.internal', client: undefined },
  ])
})

test('a client certificate is shown to a target that asks for one', async (t) => {
  const target = await tlsTarget(t, {
    cert: own.cert,
    key: own.key,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  })
  const origin = `https://localhost:${target.port}`
  const client = authority.issue('gateway')
  const without = await gatewayTo(t, origin, { upstream: { tls: { ca: authority.cert } } })
  assert.equal((await ask(without.port))[0], 502)
  const shown = await gatewayTo(t, origin, {
    upstream: { tls: { ca: authority.cert, cert: client.cert, key: client.key } },
  })
  assert.deepEqual(await ask(shown.port), [200, 'ok'])
  assert.equal(target.requests[0]?.client, 'gateway')
})

test('verify: false trusts anyone', async (t) => {
  const target = await tlsTarget(t, { cert: named.cert, key: named.key })
  const { port } = await gatewayTo(t, `https://localhost:${target.port}`, {
    upstream: { tls: { verify: false } },
  })
  assert.deepEqual(await ask(port), [200, 'ok'])
})

test('a WebSocket to a TLS target is verified just as much', async (t) => {
  const target = await tlsTarget(t, { cert: own.cert, key: own.key })
  const echo = new WebSocketServer({ server: target.server })
  echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  const origin = `https://localhost:${target.port}`
  const trusted = await gatewayTo(t, origin, { upstream: { tls: { ca: authority.cert } } })
  const client = new WebSocket(`ws://127.0.0.1:${trusted.port}`)
  await once(client, 'open')
  client.send('hello')
  assert.equal(String((await once(client, 'message'))[0]), 'hello')
  client.terminate()
  const doubted = await gatewayTo(t, origin)
  const refused = new WebSocket(`ws://127.0.0.1:${doubted.port}`)
  const [error] = await once(refused, 'error')
  assert.match(error.message, /502/)
  const byAddress = await gatewayTo(t, `https://127.0.0.1:${target.port}`, {
    upstream: { tls: { ca: authority.cert } },
  })
  const second = new WebSocket(`ws://127.0.0.1:${byAddress.port}`)
  await once(second, 'open')
  second.terminate()
})

for (const secure of [true, false]) {
  test(`HTTP/2 to a target (${secure ? 'ALPN' : 'prior knowledge'}): many at once over few connections`, async (t) => {
    let sessions = 0
    const versions = new Set<string>()
    const serve = async (
      request: http2.Http2ServerRequest,
      response: http2.Http2ServerResponse,
    ): Promise<void> => {
      versions.add(request.httpVersion)
      response.end(await buffer(request))
    }
    const server = secure
      ? http2.createSecureServer({ cert: own.cert, key: own.key }, serve)
      : http2.createServer(serve)
    const open = new Set<http2.Http2Session>()
    server.on('session', (session) => {
      sessions++
      open.add(session)
    })
    server.listen(0)
    await once(server, 'listening')
    t.after(() => {
      for (const session of open) session.destroy()
      server.close()
    })
    const { port: at } = server.address() as AddressInfo
    const { app, url } = await gatewayTo(t, `${secure ? 'https' : 'http'}://localhost:${at}`, {
      upstream: { http2: true, ...(secure ? { tls: { ca: authority.cert } } : {}) },
    })
    assert.equal(await (await fetch(url, { method: 'POST', body: 'first' })).text(), 'first')
    const bodies = Array.from({ length: 60 }, (_, i) => String(i).repeat(i % 7 === 0 ? 40_000 : 10))
    const answers = await Promise.all(
      bodies.map(async (body) => (await fetch(url, { method: 'POST', body })).text()),
    )
    assert.deepEqual(answers, bodies)
    assert.deepEqual([...versions], ['2.0'])
    assert.ok(sessions <= 20, `${sessions} connections for 60 requests`)
    assert.equal(inflight(app), 0)
  })
}

test('a target that does not offer HTTP/2 is spoken to in HTTP/1.1', async (t) => {
  const target = await tlsTarget(t, { cert: own.cert, key: own.key })
  const { port } = await gatewayTo(t, `https://localhost:${target.port}`, {
    upstream: { http2: true, tls: { ca: authority.cert } },
  })
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(port)))
  for (const answer of answers) assert.deepEqual(answer, [200, 'ok'])
})

test('a target behind a unix socket, with requests and upgrades', async (t) => {
  const path = join(tmpdir(), `holdfast-${process.pid}.sock`)
  const server = http.createServer((request, response) =>
    response.end(`${request.headers.host} ${request.url}`),
  )
  const echo = new WebSocketServer({ server })
  echo.on('connection', (socket) => socket.send('hi'))
  server.listen(path)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
    rmSync(path, { force: true })
  })
  const { port } = await gatewayTo(t, `unix:${path}`)
  assert.deepEqual(await ask(port, 'a.example'), [200, 'a.example /'])
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  assert.equal(String((await once(socket, 'message'))[0]), 'hi')
  socket.terminate()
  const dead = await gatewayTo(t, `unix:${path}.none`)
  assert.equal((await ask(dead.port))[0], 502)
})
