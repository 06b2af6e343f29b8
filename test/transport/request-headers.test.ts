import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawRequest } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'
import { ask, gatewayTo } from './support.ts'

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
