import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type ServerHttp2Session } from 'node:http2'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { rawRequest } from '../support/gateway.ts'
import { portFor } from '../support/ports.ts'
import { startTarget } from '../support/target.ts'
import { ask, gatewayTo, idle } from './support.ts'

/** With prior knowledge; says `ok` once it has the body. */
async function startHttp2Target(t: TestContext): Promise<{ origin: string; bodies: string[] }> {
  const bodies: string[] = []
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer({ settings: { maxHeaderListSize: 1_000_000 } }, async (request, response) => {
    bodies.push(await text(request))
    response.end('ok')
  })
  server.on('session', (session) => sessions.add(session))
  const port = await portFor(server)
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { origin: `http://127.0.0.1:${port}`, bodies }
}

for (const [name, headers] of Object.entries({
  'Keep-Alive': { 'Keep-Alive': 'timeout=5', Connection: 'keep-alive' },
  'Keep-Alive and close': { 'Keep-Alive': 'timeout=5', Connection: 'close' },
  'a bare Upgrade': { Upgrade: 'foo/2' },
  'Proxy-Connection': { 'Proxy-Connection': 'keep-alive' },
  'Proxy-Authorization': { 'Proxy-Authorization': 'Basic c2VjcmV0' },
  TE: { TE: 'trailers' },
  'HTTP2-Settings': { 'HTTP2-Settings': 'AAMAAABk' },
})) {
  test(`a client's ${name} header neither fails the request nor reaches the target`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin)
    const { status } = await ask(port, { headers })
    assert.equal(status, 200)
    const seen = target.seen[0]?.headers ?? {}
    for (const header of Object.keys(headers)) {
      if (header !== 'Connection') assert.equal(seen[header.toLowerCase()], undefined, header)
    }
    assert.notEqual(seen.connection, 'close')
  })
}

test('Expect: 100-continue is met by the gateway and the body arrives', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  const text = await rawRequest(
    port,
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi',
  )
  assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  assert.equal(target.seen[0]?.body, 'hi')
  assert.equal(target.seen[0]?.headers.expect, undefined)
})

test('headers that the Connection header lists do not reach the target', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  await ask(port, { headers: { Connection: 'close, X-Private', 'X-Private': '1', 'X-Public': '2' } })
  assert.equal(target.seen[0]?.headers['x-private'], undefined)
  assert.equal(target.seen[0]?.headers['x-public'], '2')
})

test('GHSA-gwhp-pf74-vj37: a client cannot strip headers of the gateway by listing them', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, {
    route: { requestHeaders: { set: { 'x-made': 'by the gateway' } } },
  })
  await ask(port, { headers: { Connection: 'close, X-Made, Traceparent', 'X-Made': 'by the client' } })
  assert.equal(target.seen[0]?.headers['x-made'], 'by the gateway')
})

for (const name of [
  'Authorization',
  'Cookie',
  'Content-Length',
  'Content-Type',
  'Forwarded',
  'Host',
  'Via',
  'X-Forwarded-For',
  'X-Real-IP',
]) {
  test(`a Connection header that lists ${name} is refused: a proxy before us may have said it`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin)
    const { status, body } = await ask(port, {
      method: 'POST',
      headers: { Connection: `close, ${name}`, 'Content-Length': 5 },
      body: 'hello',
    })
    assert.equal(status, 400)
    assert.match(String(body), /Connection header must not name/)
    assert.equal(target.seen.length, 0)
  })
}

test('the names of the protocol itself may be in a Connection header', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, { server: { replayBody: 0 } })
  const head =
    'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nKeep-Alive: timeout=5\r\n' +
    'Connection: TE, Keep-Alive\r\nConnection: Transfer-Encoding, close, ,\r\nTransfer-Encoding: chunked\r\n\r\n'
  assert.match(await rawRequest(port, `${head}5\r\nhello\r\n0\r\n\r\n`), /^HTTP\/1\.1 200 /)
  assert.equal(target.seen[0]?.body, 'hello')
})

test('other spellings of headers of framing and connection reach no target, nor does Proxy', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  const odd = {
    content_length: '7',
    transfer_encoding: 'chunked',
    'content.length': '7',
    proxy_authorization: 'Basic x',
    http2_settings: 'x',
    X_Forwarded_For: '1.2.3.4',
    Proxy: 'http://evil.example',
  }
  await ask(port, { headers: { ...odd, x_own: '1', 'X-Proxy': '2' } })
  const headers = target.seen[0]?.headers ?? {}
  for (const name of Object.keys(odd)) assert.equal(headers[name.toLowerCase()], undefined, name)
  assert.deepEqual([headers['x_own'], headers['x-proxy']], ['1', '2'])
})

test('nor do they behind a body', async (t) => {
  const target = await startTarget(t)
  let trailers: NodeJS.Dict<string> = {}
  target.server.prependListener('request', (request) =>
    request.on('end', () => {
      trailers = request.trailers
    }),
  )
  const { port } = await gatewayTo(t, target.origin)
  await rawRequest(
    port,
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '2\r\nhi\r\n0\r\ncontent_length: 7\r\nX_Real_Ip: 1.2.3.4\r\nProxy: x\r\nx_own: 1\r\n\r\n',
  )
  assert.deepEqual({ ...trailers }, { x_own: '1' })
})

test('header values beyond ASCII reach the target byte for byte', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  const latin1 = 'caf\xe9 \xff\x80'
  await rawRequest(port, `GET / HTTP/1.1\r\nHost: a\r\nX-Text: ${latin1}\r\nConnection: close\r\n\r\n`)
  assert.equal(target.seen[0]?.headers['x-text'], latin1)
})

test('headers named like properties of an object pass like any other', async (t) => {
  const target = await startTarget(t, ({ rawHeaders }, response) => response.end(rawHeaders.join('\n')))
  const { port } = await gatewayTo(t, target.origin)
  const text = await rawRequest(
    port,
    'GET / HTTP/1.1\r\nHost: a\r\nConstructor: 1\r\n__proto__: 2\r\nHasOwnProperty: 3\r\nConnection: close\r\n\r\n',
  )
  assert.match(text, /^HTTP\/1\.1 200 /)
  assert.match(text, /constructor\n1/)
  assert.match(text, /hasownproperty\n3/)
})

test('headers named like properties of an object pass where the route edits headers too', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, {
    route: { requestHeaders: { set: { 'x-set': '1' }, add: { valueOf: '2', constructor: '3' } } },
  })
  const head = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'
  assert.match(await rawRequest(port, `${head}Constructor: 1\r\nToString: 2\r\n\r\n`), /^HTTP\/1\.1 200 /)
  const [first] = target.seen
  assert.equal(first?.headers['constructor'], '1, 3')
  assert.equal(first?.headers['tostring'], '2')
  assert.equal(first?.headers['valueof'], '2')
})

test('a length with zeros before it is a length like any other', async (t) => {
  const target = await startTarget(t)
  const plain = await startHttp2Target(t)
  for (const [origin, http2] of [
    [target.origin, false],
    [plain.origin, true],
  ] as const) {
    for (const replayBody of [0, '64KiB']) {
      const { port } = await gatewayTo(t, origin, {
        upstream: { http2 },
        server: { replayBody, http2: true },
      })
      const head = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'
      const zeros = '0'.repeat(40)
      assert.match(
        await rawRequest(port, `${head}Content-Length: ${zeros}5\r\n\r\nhello`),
        /^HTTP\/1\.1 200 /,
      )
      assert.match(await rawRequest(port, `${head}Content-Length: ${zeros}\r\n\r\n`), /^HTTP\/1\.1 200 /)
      const session = connect(`http://127.0.0.1:${port}`)
      t.after(() => session.destroy())
      const [answer] = await once(session.request({ ':path': '/', 'content-length': zeros }), 'response')
      assert.equal(answer[':status'], 200)
    }
  }
  assert.deepEqual(
    target.seen.map(({ headers, body }) => [headers['content-length'], body]),
    [...Array(2)].flatMap(() => [
      ['5', 'hello'],
      ['0', ''],
      ['0', ''],
    ]),
  )
  assert.deepEqual(
    plain.bodies,
    [...Array(2)].flatMap(() => ['hello', '', '']),
  )
})

for (const http2 of [false, true]) {
  for (const [name, header] of Object.entries({
    'a header that HTTP does not allow': ['x-plugin', 'a\nb'],
    'an Expect': ['expect', '100-continue'],
    'a second length': ['content-length', '7'],
  })) {
    test(`a plugin that gives a request ${name} fails that request, and no target (${http2 ? 2 : 1})`, async (t) => {
      const target = http2 ? await startHttp2Target(t) : await startTarget(t)
      const outcomes: Outcome[] = []
      const gateway = await gatewayTo(t, [target.origin, target.origin.replace('127.0.0.1', 'localhost')], {
        upstream: { http2 },
        use: async (app) => {
          app.upstreams.subscribe((_target, outcome) => outcomes.push(outcome))
          app.onAttempt((request, _record, headers) => {
            if (request.method === 'POST') headers.push(...header)
          })
        },
      })
      for (const body of ['hi', Readable.from(['h', 'i'])]) {
        const answer = await ask(gateway.port, {
          method: 'POST',
          body,
          headers:
            typeof body === 'string'
              ? { 'content-length': '2' }
              : { 'content-length': '2', 'x-streamed': '1' },
        })
        assert.equal(answer.status, 500)
        assert.match(String(answer.body), /GTW_INTERNAL/)
      }
      assert.deepEqual(
        outcomes.map(({ kind }) => kind),
        ['abandoned', 'abandoned'],
      )
      assert.equal((await ask(gateway.port)).status, 200)
      await idle(gateway)
    })
  }
}

test('headers that are too large for a target of HTTP/2 are the client’s fault, and fail nobody beside it', async (t) => {
  const target = await startHttp2Target(t)
  const outcomes: Outcome[] = []
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { http2: true },
    server: { headerLimit: '1MiB' },
    use: async (app) => app.upstreams.subscribe((_target, outcome) => outcomes.push(outcome)),
  })
  const sized = (count: number) => ({ 'x-large': Array(count).fill('x'.repeat(1000)) })
  const others = Array.from({ length: 5 }, () => ask(gateway.port, { method: 'POST', body: 'hi' }))
  const { status, body } = await ask(gateway.port, { headers: sized(80) })
  assert.equal(status, 431)
  assert.match(String(body), /headers are too large.*GTW_BAD_REQUEST/)
  for (const answer of await Promise.all(others)) assert.equal(answer.status, 200)
  assert.equal((await ask(gateway.port, { headers: sized(40) })).status, 200)
  assert.deepEqual(
    outcomes.map(({ kind }) => kind).filter((kind) => kind !== 'answered'),
    ['abandoned'],
  )
  await idle(gateway)
})

test('the Host is the client’s by default and the target’s own where the config says so', async (t) => {
  const target = await startTarget(t)
  const kept = await gatewayTo(t, target.origin)
  const own = await gatewayTo(t, target.origin, { upstream: { host: 'target' } })
  await ask(kept.port, { headers: { Host: 'api.example.com' } })
  await ask(own.port, { headers: { Host: 'api.example.com' } })
  assert.equal(target.seen[0]?.headers.host, 'api.example.com')
  assert.equal(target.seen[1]?.headers.host, `127.0.0.1:${target.port}`)
})

test('an HTTP/1.0 client without a Host is served, and the target gets a Host', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  const text = await rawRequest(port, 'GET / HTTP/1.0\r\n\r\n')
  assert.match(text, /^HTTP\/1\.[01] 200 OK/)
  assert.match(text, /\r\n\r\nok$/)
  assert.equal(target.seen[0]?.headers.host, `127.0.0.1:${target.port}`)
  assert.equal(target.seen[0]?.headers['x-forwarded-host'], undefined)
  assert.equal(target.seen[0]?.headers.via, '1.0 holdfast')
})
