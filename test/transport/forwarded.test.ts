import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import type { ClientFacts } from '../../plugins/transport/forwarded.ts'
import { type Outgoing, requestHeaders } from '../../plugins/transport/headers.ts'
import { startTarget } from '../support/target.ts'
import { ask, gatewayTo } from './support.ts'

const SPOOFED = {
  Host: 'api.example.com',
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Port': '1',
  'X-Forwarded-Prefix': '/evil',
  'X-Forwarded-Server': 'evil',
  'X-Real-IP': '6.6.6.6',
  Forwarded: 'for=6.6.6.6',
}

const CLIENT: ClientFacts = {
  peer: '2001:db8::1',
  address: '2001:db8::1',
  protocol: 'https',
  host: 'a',
  httpVersion: '2.0',
  requestId: 'r',
}

/** What is said by it, to a target of the form `x-forwarded` or another. */
function told(
  headers: Record<string, string>,
  client: Partial<ClientFacts> = {},
  outgoing: Partial<Outgoing> = {},
): Record<string, string> {
  const list = requestHeaders(
    headers,
    { ...CLIENT, ...client },
    { host: 'a', forwarded: 'x-forwarded', ...outgoing },
  )
  return Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] as string]] : [])))
}

async function seenBy(
  t: Parameters<typeof startTarget>[0],
  form: string,
  trustProxy: string[],
  headers: Record<string, string> = SPOOFED,
): Promise<IncomingHttpHeaders> {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, {
    upstream: { forwarded: form },
    server: { trustProxy },
  })
  await ask(port, { headers })
  return target.seen[0]?.headers ?? {}
}

test('what an untrusted client says of itself is replaced', async (t) => {
  const headers = await seenBy(t, 'x-forwarded', [])
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers['x-forwarded-host'], 'api.example.com')
  assert.equal(headers['x-real-ip'], '127.0.0.1')
  assert.equal(headers['x-forwarded-port'], '80')
  for (const name of ['forwarded', 'x-forwarded-prefix', 'x-forwarded-server'])
    assert.equal(headers[name], undefined, name)
})

test('nor is it believed in a spelling that CGI and its like take for the same', async (t) => {
  const odd = Object.fromEntries(
    Object.entries(SPOOFED).map(([name, value]) => [name.replaceAll('-', '_'), value]),
  )
  for (const trusted of [[], ['127.0.0.0/8']]) {
    const headers = await seenBy(t, 'x-forwarded', trusted, {
      ...odd,
      'X.Forwarded_For': '6.6.6.6',
      x_other: '1',
    })
    assert.deepEqual(
      Object.keys(headers).filter((name) => /[_.]/.test(name)),
      ['x_other'],
    )
    assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  }
})

test('what a trusted proxy says is passed on, and its own address appended', async (t) => {
  const headers = await seenBy(t, 'x-forwarded', ['127.0.0.0/8'])
  assert.equal(headers['x-forwarded-for'], '6.6.6.6, 127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'https')
  assert.equal(headers['x-forwarded-host'], 'evil.example')
  for (const name of ['x-real-ip', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-server'])
    assert.notEqual(headers[name], undefined, name)
})

const OF_PROXIES = {
  'X-Forwarded-Ssl': 'on',
  'X-Forwarded-Scheme': 'https',
  'X-Forwarded-User': 'root',
  'X-Forwarded-Uri': '/admin',
  'X-Forwarded': 'for=6.6.6.6',
  'Front-End-Https': 'on',
  'Client-Ip': '6.6.6.6',
  'True-Client-Ip': '6.6.6.6',
  'X-Client-Ip': '6.6.6.6',
  'CF-Connecting-IP': '6.6.6.6',
  'X-Original-Url': '/admin',
  'X-Rewrite-Url': '/admin',
}

test('what frameworks believe of proxies is not handed through from strangers, in any spelling', async (t) => {
  const odd = Object.fromEntries(
    Object.entries(OF_PROXIES).map(([name, value]) => [name.replaceAll('-', '_'), value]),
  )
  for (const form of ['x-forwarded', 'rfc7239', 'both', 'none']) {
    const headers = await seenBy(t, form, [], { ...OF_PROXIES, ...odd, 'X-Forwardable': '1', Other: '2' })
    const left = [...Object.keys(OF_PROXIES), ...Object.keys(odd)].filter(
      (name) => headers[name.toLowerCase()] !== undefined,
    )
    assert.deepEqual(left, [], form)
    assert.equal(headers['other'], '2')
    assert.equal(headers['x-forwardable'], '1')
  }
})

test('it is from a trusted proxy, but for the path that was asked for', async (t) => {
  const headers = await seenBy(t, 'x-forwarded', ['127.0.0.1'], OF_PROXIES)
  assert.equal(headers['x-forwarded-user'], 'root')
  assert.equal(headers['front-end-https'], 'on')
  assert.equal(headers['true-client-ip'], '6.6.6.6')
  for (const name of ['x-original-url', 'x-rewrite-url']) assert.equal(headers[name], undefined, name)
})

test('what a plugin says of the client reaches the target', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, {
    use: async (app) => {
      app.addHook('onRequest', async ({ headers }) => {
        headers['x-real-ip'] = '192.0.2.1'
        headers['x-forwarded-port'] = '8443'
        headers['x-forwarded-user'] = 'alice'
      })
    },
  })
  await ask(port, { headers: { ...SPOOFED, ...OF_PROXIES } })
  const headers = target.seen[0]?.headers ?? {}
  assert.equal(headers['x-real-ip'], '192.0.2.1')
  assert.equal(headers['x-forwarded-port'], '8443')
  assert.equal(headers['x-forwarded-user'], 'alice')
})

test('X-Real-IP is the client as far as it is known: by the chain, which names it first', () => {
  assert.equal(told({})['x-real-ip'], '2001:db8::1')
  const known = { address: '6.6.6.6' }
  // A client has said it, and a proxy that knows only the chain has let it pass.
  assert.equal(told({ 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '9.9.9.9' }, known)['x-real-ip'], '6.6.6.6')
  // A proxy that knows no chain.
  assert.equal(told({ 'x-real-ip': '9.9.9.9' }, known)['x-real-ip'], '9.9.9.9')
})

test('a trusted proxy’s client is who it names in X-Forwarded-For, and X-Real-IP says so', async (t) => {
  const headers = await seenBy(t, 'x-forwarded', ['127.0.0.0/8'], {
    'X-Forwarded-For': '9.9.9.9, 6.6.6.6:80',
  })
  assert.equal(headers['x-real-ip'], '6.6.6.6')
})

test('X-Forwarded-Port is the port that the client asked', () => {
  const port = (host: string, protocol: 'http' | 'https', headers = {}): string | undefined =>
    told(headers, { host, protocol })['x-forwarded-port']
  assert.equal(port('a', 'http'), '80')
  assert.equal(port('a', 'https'), '443')
  assert.equal(port('a:8443', 'https'), '8443')
  assert.equal(port('[::1]', 'http'), '80')
  assert.equal(port('[::1]:81', 'http'), '81')
  assert.equal(port('a:3000', 'http', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'b' }), '443')
  assert.equal(port('a', 'http', { 'x-forwarded-port': '7' }), '7')
})

test('a prefix that was taken off is said, behind that of a trusted proxy', async (t) => {
  const said = { 'x-forwarded-prefix': '/outer/' }
  assert.equal(told({}, {}, { prefix: '/app' })['x-forwarded-prefix'], '/app')
  assert.equal(told(said, {}, { prefix: '/app' })['x-forwarded-prefix'], '/outer/app')
  assert.equal(told(said)['x-forwarded-prefix'], '/outer')
  assert.equal(told({ 'x-forwarded-prefix': '/' })['x-forwarded-prefix'], '/')
  assert.equal(told({}, {}, { prefix: '/app', forwarded: 'none' })['x-forwarded-prefix'], undefined)

  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, {
    routes: [{ path: '/app/*', upstream: 'main', stripPrefix: '/app/' }],
  })
  for (const url of ['/app/x', '/app', '/apple']) await ask(port, { url })
  assert.deepEqual(
    target.seen.map(({ url, headers }) => [url, headers['x-forwarded-prefix']]),
    [
      ['/x', '/app'],
      ['/', '/app'],
      ['/apple', undefined],
    ],
  )
})

test('the form of RFC 7239, alone', async (t) => {
  const headers = await seenBy(t, 'rfc7239', [])
  assert.equal(headers.forwarded, 'for=127.0.0.1;host=api.example.com;proto=http')
  assert.equal(headers['x-forwarded-for'], undefined)
})

test('the form of RFC 7239 is appended to for a trusted proxy', async (t) => {
  const headers = await seenBy(t, 'rfc7239', ['127.0.0.1'])
  assert.equal(headers.forwarded, 'for=6.6.6.6, for=127.0.0.1;host=api.example.com;proto=http')
})

test('a Host with a port is quoted in the form of RFC 7239', async (t) => {
  const headers = await seenBy(t, 'rfc7239', [], { Host: 'api.example.com:8080' })
  assert.equal(headers.forwarded, 'for=127.0.0.1;host="api.example.com:8080";proto=http')
})

test('an address of version 6 is bracketed and quoted in the form of RFC 7239, and bare in the other', () => {
  const list = requestHeaders({}, CLIENT, { host: 'a', forwarded: 'both' })
  assert.equal(list[list.indexOf('forwarded') + 1], 'for="[2001:db8::1]";host=a;proto=https')
  assert.equal(list[list.indexOf('x-forwarded-for') + 1], '2001:db8::1')
})

test('both forms together', async (t) => {
  const headers = await seenBy(t, 'both', [])
  assert.ok(headers.forwarded)
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
})

test('no form at all: what the client says is removed all the same', async (t) => {
  const headers = await seenBy(t, 'none', [])
  for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip'])
    assert.equal(headers[name], undefined, name)
})

test('Via is appended to', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  await ask(port, { headers: { Via: '1.0 first' } })
  await ask(port)
  assert.equal(target.seen[0]?.headers.via, '1.0 first, 1.1 holdfast')
  assert.equal(target.seen[1]?.headers.via, '1.1 holdfast')
})
