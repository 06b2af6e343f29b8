import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { requestHeaders } from '../../plugins/transport/headers.ts'
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
  for (const name of [
    'x-real-ip',
    'forwarded',
    'x-forwarded-port',
    'x-forwarded-prefix',
    'x-forwarded-server',
  ])
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
  const client = { peer: '2001:db8::1', trusted: false, protocol: 'https', host: 'a', httpVersion: '2.0' }
  const list = requestHeaders({}, client as never, 'a', 'both')
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
