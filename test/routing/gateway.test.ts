import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { buildGateway, rawRequest } from '../support/gateway.ts'
import { startTarget, type TestTarget } from '../support/target.ts'

type Context = Parameters<typeof startTarget>[0]

/** Two upstreams, `a` and `b`, that answer with their names, and a gateway with these routes. */
async function gatewayWith(t: Context, routes: readonly object[], use?: Parameters<typeof buildGateway>[1]) {
  const named = (name: string) =>
    startTarget(t, (_seen, response) => {
      response.setHeader('content-type', 'text/plain')
      response.setHeader('x-from', name)
      response.end(name)
    })
  const [a, b] = await Promise.all([named('a'), named('b')])
  const upstreams = { a: { targets: [{ origin: a.origin }] }, b: { targets: [{ origin: b.origin }] } }
  const app = await buildGateway({ server: { drain: 0 }, upstreams, routes }, use)
  t.after(() => app.close())
  return { app, a, b }
}

const last = ({ seen }: TestTarget) => seen.at(-1)

test('host before path, and a host that has no route for the path falls through', async (t) => {
  const { app } = await gatewayWith(t, [
    { host: 'api.example.com', path: '/*', methods: ['GET'], upstream: 'a' },
    { path: '/users/*', upstream: 'b' },
  ])
  const ask = async (host: string, method = 'GET') =>
    (await app.inject({ url: '/users/1', method: method as 'GET', headers: { host } })).body
  assert.equal(await ask('api.example.com'), 'a')
  assert.equal(await ask('API.example.com:8080'), 'a')
  assert.equal(await ask('other.example.com'), 'b')
  assert.equal(await ask('api.example.com', 'POST'), 'b')
})

test('a route may have several hosts', async (t) => {
  const { app } = await gatewayWith(t, [
    { host: ['www.example.com', '*.shop.example.com'], path: '/*', upstream: 'a' },
    { path: '/*', upstream: 'b' },
  ])
  const ask = async (host: string) => (await app.inject({ url: '/x', headers: { host } })).body
  assert.equal(await ask('www.example.com'), 'a')
  assert.equal(await ask('eu.shop.example.com:443'), 'a')
  assert.equal(await ask('example.com'), 'b')
  assert.deepEqual(
    app.compiledRoutes.map(({ name }) => name),
    ['www.example.com,*.shop.example.com/*', '/*'],
  )
})

test('headers, query and cookies choose, as text, as regular expression, present or absent', async (t) => {
  const { app } = await gatewayWith(t, [
    { path: '/x', headers: { 'x-version': '2' }, upstream: 'b' },
    { path: '/x', query: { beta: true }, upstream: 'b' },
    { path: '/x', cookies: { user: /^[0-9]+$/ }, upstream: 'b' },
    { path: '/x', headers: { 'user-agent': '~^bot/' }, upstream: 'b' },
    { path: '/x', upstream: 'a' },
  ])
  const ask = async (url: string, headers: Record<string, string> = {}) =>
    (await app.inject({ url, headers })).body
  assert.equal(await ask('/x'), 'a')
  assert.equal(await ask('/x', { 'x-version': '2' }), 'b')
  assert.equal(await ask('/x', { 'x-version': '3' }), 'a')
  assert.equal(await ask('/x?beta'), 'b')
  assert.equal(await ask('/x', { cookie: 'a=b; user=17' }), 'b')
  assert.equal(await ask('/x', { cookie: 'user=root' }), 'a')
  assert.equal(await ask('/x', { 'user-agent': 'bot/1' }), 'b')
})

test('paths and queries are rewritten; the rest of the query stays as it is', async (t) => {
  const { app, a } = await gatewayWith(t, [
    { path: '/users/*', upstream: 'a', rewrite: '/v2/*' },
    { path: '/shop/*', upstream: 'a', stripPrefix: '/shop' },
    { path: /\/items\/(?<id>\d+)/, upstream: 'a', rewrite: '/catalogue/$<id>' },
    { path: '~/old-([a-z]+)', upstream: 'a', rewrite: '/new/$1' },
    { path: '/q', upstream: 'a', requestQuery: { set: { source: 'gw' }, remove: ['secret'] } },
  ])
  const cases: [asked: string, forwarded: string][] = [
    ['/users/7/orders?x=%20y', '/v2/7/orders?x=%20y'],
    ['/users', '/v2/'],
    ['/shop', '/'],
    ['/shop/cart', '/cart'],
    ['/items/42', '/catalogue/42'],
    ['/old-page', '/new/page'],
    ['/q?a=1&secret=2&b', '/q?a=1&b&source=gw'],
  ]
  for (const [asked, forwarded] of cases) {
    await app.inject(asked)
    assert.equal(last(a)?.url, forwarded, asked)
  }
})

test('header edits win over what the gateway and the client say, both ways', async (t) => {
  const { app, a } = await gatewayWith(t, [
    {
      path: '/*',
      upstream: 'a',
      requestHeaders: {
        set: { 'x-real-ip': '10.9.8.7', host: 'inner.test' },
        add: { 'x-tag': 'gw' },
        remove: ['cookie'],
      },
      responseHeaders: { set: { 'x-frame-options': 'DENY' }, remove: ['x-from'] },
    },
  ])
  const response = await app.inject({
    url: '/',
    headers: { cookie: 'a=1', 'x-tag': 'client', 'x-real-ip': '6.6.6.6' },
  })
  const headers = last(a)?.headers ?? {}
  assert.equal(headers['x-real-ip'], '10.9.8.7')
  assert.equal(headers['host'], 'inner.test')
  assert.equal(headers['x-tag'], 'client, gw')
  assert.equal(headers['cookie'], undefined)
  assert.equal(response.headers['x-frame-options'], 'DENY')
  assert.equal(response.headers['x-from'], undefined)
})

test('redirects keep method, parameters and query; fixed answers are given as they are', async (t) => {
  const { app } = await gatewayWith(t, [
    { path: '/old/:page', redirect: '/new/:page' },
    { path: '/away/*', redirect: { to: 'https://www.example.com/*', status: 302, keepQuery: false } },
    { path: '/robots.txt', respond: { headers: { 'content-type': 'text/plain' }, body: 'User-agent: *\n' } },
    { path: '/gone', respond: { status: 410 }, responseHeaders: { set: { 'cache-control': 'no-store' } } },
  ])
  const moved = await app.inject({ method: 'POST', url: '/old/a%20b?x=1' })
  assert.deepEqual([moved.statusCode, moved.headers['location']], [308, '/new/a%20b?x=1'])
  const away = await app.inject('/away/a/b?x=1')
  assert.deepEqual([away.statusCode, away.headers['location']], [302, 'https://www.example.com/a/b'])
  const robots = await app.inject('/robots.txt')
  assert.deepEqual(
    [robots.statusCode, robots.body, robots.headers['content-type']],
    [200, 'User-agent: *\n', 'text/plain'],
  )
  const gone = await app.inject('/gone')
  assert.deepEqual([gone.statusCode, gone.body, gone.headers['cache-control']], [410, '', 'no-store'])
})

test('a split keeps its shares, and a share of 0 gets nothing', async (t) => {
  const { app, a, b } = await gatewayWith(t, [
    { path: '/even', split: { a: 50, b: 50 } },
    { path: '/none', split: { a: 1, b: 0 } },
  ])
  for (let i = 0; i < 200; i++) await app.inject('/even')
  // Binomial(200, 1/2): beyond 5 standard deviations once in 1.7 million runs.
  assert.ok(Math.abs(a.seen.length - 100) <= 36, `${a.seen.length} of 200`)
  const before = b.seen.length
  for (let i = 0; i < 20; i++) await app.inject('/none')
  assert.equal(b.seen.length, before)
})

test('a guarded route is not walked around by saying twice what it is found by', async (t) => {
  const { app, a, b } = await gatewayWith(t, [
    { path: '/api', query: { action: 'delete' }, addresses: { deny: ['127.0.0.1'] }, upstream: 'b' },
    { path: '/api', headers: { 'x-action': 'delete' }, addresses: { deny: ['127.0.0.1'] }, upstream: 'b' },
    { path: '/api', upstream: 'a' },
  ])
  const status = async (query: string, headers: Record<string, string | string[]> = {}) =>
    (await app.inject({ url: `/api?${query}`, headers: headers as never })).statusCode
  assert.equal(await status('action=read'), 200)
  assert.equal(await status('action=delete'), 403)
  assert.equal(await status('action=delete&action=delete'), 403)
  assert.equal(await status('action=read&action=delete'), 400)
  assert.equal(await status('action=delete&action=read'), 400)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  const twice =
    'GET /api HTTP/1.1\r\nhost: a\r\nx-action: read\r\nX-Action: delete\r\nconnection: close\r\n\r\n'
  const answer = await rawRequest(port, twice)
  assert.match(answer, /^HTTP\/1\.1 400 .*came several times.*GTW_BAD_REQUEST/s)
  assert.deepEqual([a.seen.length, b.seen.length], [1, 0])
})

test('no route is 404, a wrong method 405 with Allow, both as problem+json that names the request', async (t) => {
  const { app } = await gatewayWith(t, [{ path: '/users', methods: ['GET', 'POST'], upstream: 'a' }])
  const none = await app.inject({ url: '/nobody' })
  assert.equal(none.statusCode, 404)
  assert.equal(none.headers['content-type'], 'application/problem+json')
  assert.deepEqual(none.json(), {
    type: 'about:blank',
    title: 'Not Found',
    status: 404,
    detail: 'There is nothing here',
    code: 'GTW_NO_ROUTE',
    requestId: none.headers['x-request-id'],
  })
  const wrong = await app.inject({ method: 'DELETE', url: '/users' })
  assert.deepEqual(
    [wrong.statusCode, wrong.headers['allow'], wrong.json().code],
    [405, 'GET, HEAD, POST', 'GTW_METHOD_NOT_ALLOWED'],
  )
})

test('a method that Fastify does not know by itself is served where a route lists it', async (t) => {
  const { app, a } = await gatewayWith(t, [{ path: '/dav/*', methods: ['PROPFIND'], upstream: 'a' }])
  const found = await app.inject({ method: 'PROPFIND' as 'GET', url: '/dav/x', payload: '<propfind/>' })
  assert.equal(found.statusCode, 200)
  assert.deepEqual([last(a)?.method, last(a)?.body], ['PROPFIND', '<propfind/>'])
})

test('no client reaches the internal address of a route', async (t) => {
  const { app } = await gatewayWith(t, [{ path: '/only', upstream: 'a' }])
  for (const url of [
    '/~holdfast/0',
    '/%7Eholdfast/0',
    '/~holdfast/refused',
    '//~holdfast/0',
    '/x/../~holdfast/0',
  ]) {
    assert.equal((await app.inject(url)).statusCode, 404, url)
  }
})

test('a hook that answers keeps the request from the target', async (t) => {
  const { app, a } = await gatewayWith(t, [{ path: '/*', upstream: 'a' }], {
    use: async (app) => {
      app.addHook('onRequest', async (request, reply) => {
        if (request.headers['authorization'] === undefined) return reply.code(401).send({ no: 'entry' })
      })
    },
  })
  assert.equal((await app.inject('/x')).statusCode, 401)
  assert.equal(a.seen.length, 0)
  assert.equal((await app.inject({ url: '/x', headers: { authorization: 'yes' } })).statusCode, 200)
})

test('a transfer encoding in HTTP/1.0 is refused, and nothing behind it is taken for a request', async (t) => {
  const { app, a } = await gatewayWith(t, [{ path: '/*', upstream: 'a' }])
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const head = 'POST /one HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n'
  const answer = await rawRequest(port, `${head}2\r\nhi\r\n0\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n`)
  assert.match(answer, /^HTTP\/1\.1 400 .*^connection: close\r$/ims)
  assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1)
  assert.equal(a.seen.length, 0)
})
