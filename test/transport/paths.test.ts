import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawRequest, startGateway } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'
import { gatewayTo } from './support.ts'

const get = (port: number, target: string, headers = 'Host: a\r\n'): Promise<string> =>
  rawRequest(port, `GET ${target} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`)

test('paths that look like dot segments but are none pass as they are', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  const paths = [
    '/..foo',
    '/foo..',
    '/a/...',
    '/a/..b/c',
    '/[...slug]',
    '/a%20b',
    '/%E2%82%AC',
    '/a?b=/../c&d=%2e',
  ]
  for (const path of paths) assert.match(await get(port, path), /^HTTP\/1\.1 200 /, path)
  assert.deepEqual(
    target.seen.map(({ url }) => url),
    paths,
  )
})

for (const [name, path] of Object.entries({
  'a backslash': '/\\evil',
  'GHSA-2q7r-29rg-6m5h, an encoded slash beside dots': '/a/..%2fadmin',
  'GHSA-2q7r-29rg-6m5h, an encoded backslash beside dots': '/a/..%5cadmin',
  'an encoded NUL': '/a%00',
  'a broken escape': '/a%zz',
  'no slash': 'evil',
})) {
  test(`${name} is a 400 and no target sees it`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin)
    const text = await get(port, path)
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.equal(target.seen.length, 0)
  })
}

for (const authority of ['http://other.example', 'https://other.example']) {
  test(`the absolute form ${authority}/x is served, and its authority is the Host (RFC 9112, 3.2.2)`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin)
    assert.match(await get(port, `${authority}/x`), /^HTTP\/1\.1 200 /)
    assert.deepEqual(
      target.seen.map(({ url, headers }) => [url, headers.host]),
      [['/x', 'other.example']],
    )
  })
}

for (const path of [
  '/public/../admin/x',
  '/public/%2e%2e/admin/x',
  '/public/%2E./admin/x',
  '//admin/x',
  '/./admin/x',
]) {
  test(`GHSA-2q7r-29rg-6m5h: ${path} meets the route of what it means`, async (t) => {
    const target = await startTarget(t)
    const { app, port } = await startGateway({
      upstreams: { main: { targets: [{ origin: target.origin }] } },
      routes: [
        { path: '/admin/*', respond: { status: 403 } },
        { path: '/*', upstream: 'main' },
      ],
    } as object)
    t.after(() => void app.close())
    assert.match(await get(port, path), /^HTTP\/1\.1 403 /)
    assert.equal(target.seen.length, 0)
  })
}

test('GHSA-v574-6498-x57v: neither paths nor upstreams are mixed up, however often they are asked for', async (t) => {
  const [one, two] = await Promise.all([startTarget(t), startTarget(t)])
  const { app, port } = await startGateway({
    upstreams: { one: { targets: [{ origin: one.origin }] }, two: { targets: [{ origin: two.origin }] } },
    routes: [
      { path: '/one/*', upstream: 'one', rewrite: '/*' },
      { path: '/two/*', upstream: 'two', rewrite: '/*' },
    ],
  } as object)
  t.after(() => void app.close())
  for (let i = 0; i < 3; i++) for (const path of ['/one/x', '/two/x', '/one/', '/two/']) await get(port, path)
  for (const { seen } of [one, two]) {
    assert.deepEqual(
      seen.map(({ url }) => url),
      ['/x', '/', '/x', '/', '/x', '/'],
    )
  }
})

test('a Host that is none is a 400: an upstream might read another one in it', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  for (const host of ['x@b', 'b/', 'b\\', 'b?', 'b#x', 'b%2ec', 'b..', 'b, c', 'b\xad', 'b c', 'b:1@c']) {
    const answer = await rawRequest(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 400 /, host)
  }
  // An upstream that takes no notice of brackets, or of a second port, would read another name in these.
  for (const host of [
    '[b.example]',
    '[cafe.de]',
    '[1.2.3.4]',
    '[::1',
    '[::1]x',
    '[:::]',
    '[]',
    '::1',
    'b:1:2',
    'b:x',
  ]) {
    const answer = await rawRequest(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 400 /, host)
  }
  assert.equal(target.seen.length, 0)
  for (const host of [
    'b',
    'B.example.com.:80',
    '[::1]:80',
    '[::FFFF:1.2.3.4]',
    'b:',
    '1.2.3.4:8080',
    '',
    'a_b-c~d.example',
    '*.x',
    "!$&'()+;=",
  ]) {
    const answer = await rawRequest(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 200 /, host)
  }
})

test('two Host headers are a 400', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  assert.match(await get(port, '/', 'Host: a\r\nHost: b\r\n'), /^HTTP\/1\.1 400 /)
  assert.equal(target.seen.length, 0)
})
