/** What HTTP/2, TLS and a port for both owe to slow clients and to a stop: Node's own limits are those of HTTP/1.1. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { STOPPING } from '../../plugins/config/close.ts'
import { createAuthority } from '../support/certificates.ts'
import { listen, startTarget } from '../support/target.ts'
import { ask, gatewayTo, inflight, session, until } from './support.ts'

const authority = createAuthority()
const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
const tls = { cert: own.cert, key: own.key }

async function gateway(t: TestContext, origin: string, secure: boolean, server: object = {}) {
  const started = await gatewayTo(t, origin, {
    server: { http2: true, ...(secure ? { tls } : {}), ...server },
  })
  const url = `${secure ? 'https' : 'http'}://localhost:${started.port}`
  return { ...started, client: session(t, url, { ca: authority.cert }) }
}

const SLOW = { headersTimeout: 200, requestTimeout: 200 }
const POST = { ':path': '/', ':method': 'POST' }

for (const secure of [true, false]) {
  const kind = secure ? 'TLS' : 'plain'

  for (const [what, headers] of [
    ['in chunks', POST],
    ['of known length, gathered', { ...POST, 'content-length': 10 }],
  ] as const) {
    test(`${kind}: an upload ${what} that takes longer than requestTimeout is 408, the session lives on`, async (t) => {
      const target = await startTarget(t)
      const { client, app } = await gateway(t, target.origin, secure, SLOW)
      const stream = client.request(headers)
      stream.write('part')
      const [head] = await once(stream, 'response')
      assert.equal(head[':status'], 408)
      assert.match(String(head['content-type']), /problem\+json/)
      assert.equal(JSON.parse(await text(stream)).title, 'Request Timeout')
      if (!stream.closed) await once(stream, 'close')
      assert.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR)
      await until(() => inflight(app) === 0, 'nothing in flight')
      assert.equal((await ask(client, { ':path': '/' })).status, 200)
      assert.equal((await ask(client, POST, 'whole')).status, 200)
    })
  }

  test(`${kind}: a slow upload whose answer is under way already is reset`, async (t) => {
    const target = await listen((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('early')
    })
    t.after(() => target.close())
    const { client, app } = await gateway(t, target.origin, secure, SLOW)
    const stream = client.request(POST)
    stream.on('error', () => {})
    stream.write('part')
    await once(stream.resume(), 'close')
    assert.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL)
    assert.equal(client.destroyed, false)
    await until(() => inflight(app) === 0, 'nothing in flight')
  })

  test(`${kind}: a request that is here in time may wait for its answer beyond requestTimeout`, async (t) => {
    const target = await startTarget(t, (_seen, response) => void setTimeout(() => response.end('ok'), 400))
    const { client } = await gateway(t, target.origin, secure, SLOW)
    const [posted, got] = await Promise.all([ask(client, POST, 'whole'), ask(client, { ':path': '/' })])
    assert.deepEqual([posted.status, got.status], [200, 200])
  })

  test(`${kind}: connections that say nothing do not hold up a stop, not even those made during it`, async (t) => {
    const target = await startTarget(t)
    const { app, port } = await gatewayTo(t, target.origin, {
      server: { http2: true, ...(secure ? { tls } : {}) },
    })
    const silent: Socket[] = []
    const dial = (): void => void silent.push(connect(port, '127.0.0.1').on('error', () => {}))
    dial()
    await once(silent[0] as Socket, 'connect')
    const from = performance.now()
    // Accepted when the others have been closed already.
    app.server.once(STOPPING, dial)
    await app.close()
    assert.equal(silent.length, 2)
    assert.ok(performance.now() - from < 3000, `${performance.now() - from} ms`)
  })
}

test('TLS: half a request of HTTP/1.1 does not hold up a stop longer than headersTimeout, nor does an idle connection', async (t) => {
  const target = await startTarget(t)
  const { app, port } = await gatewayTo(t, target.origin, {
    server: { http2: true, tls, headersTimeout: 1500 },
  })
  const dial = async () => {
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert }).on('error', () => {})
    await once(socket, 'secureConnect')
    return socket
  }
  const half = await dial()
  half.write('GET / HTTP/1.1\r\nHost: a\r\n')
  const idle = await dial()
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(idle, 'data')
  const from = performance.now()
  const closing = app.close()
  await sleep(100)
  // It may have sent it before it could know.
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await text(idle), /^HTTP\/1\.1 200 /)
  assert.match(await text(half), /^HTTP\/1\.1 408 /)
  await closing
  assert.ok(performance.now() - from < 8000, `${performance.now() - from} ms`)
})

for (const secure of [true, false]) {
  test(`${secure ? 'TLS' : 'plain'}: methods that nobody knows are 501, those that no route takes 405, and no log calls it a bug`, async (t) => {
    const target = await startTarget(t)
    const lines: string[] = []
    const { port } = await gatewayTo(
      t,
      target.origin,
      {
        server: { http2: true, ...(secure ? { tls } : {}) },
        routes: [{ path: '/*', upstream: 'one', methods: ['GET'] }],
      },
      { log: (line) => lines.push(line) },
    )
    const client = session(t, `${secure ? 'https' : 'http'}://localhost:${port}`, { ca: authority.cert })
    const answers = await Promise.all(
      ['FOO', 'PURGE', 'PROPFIND', 'TRACE', 'POST'].map((method) =>
        ask(client, { ':path': '/', ':method': method }),
      ),
    )
    assert.deepEqual(
      answers.map(({ status }) => status),
      [501, 405, 405, 405, 405],
    )
    for (const { headers } of answers) assert.match(String(headers['content-type']), /problem\+json/)
    assert.equal((await ask(client, { ':path': '/' })).status, 200)
    assert.deepEqual(
      lines.filter((line) => /bug|"level":[456]0/.test(line)),
      [],
    )
  })
}

test('plain: a request that begins just before a stop is served', async (t) => {
  const target = await startTarget(t)
  const { app, port } = await gatewayTo(t, target.origin, { server: { http2: true } })
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const closing = app.close()
  await sleep(100)
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await text(socket), /^HTTP\/1\.1 200 /)
  await closing
})

test('without HTTP/2, a TLS handshake that does not come is waited for as long as headers, and not on a stop', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, { server: { tls, headersTimeout: 200 } })
  await once(connect(port, '127.0.0.1').resume(), 'close')
  const patient = await gatewayTo(t, target.origin, { server: { tls } })
  const silent = connect(patient.port, '127.0.0.1').on('error', () => {})
  await once(silent, 'connect')
  const from = performance.now()
  await patient.app.close()
  assert.ok(performance.now() - from < 3000, `${performance.now() - from} ms`)
})
