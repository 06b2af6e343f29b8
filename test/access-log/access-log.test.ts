import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { redactedUrl } from '../../plugins/access-log/redact.ts'
import { startGateway } from '../support/gateway.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'

type Line = Record<string, unknown>

async function logged(t: Parameters<typeof startTarget>[0], config: object) {
  const lines: Line[] = []
  const { app, url } = await startGateway(config, { log: (line) => lines.push(JSON.parse(line)) })
  t.after(() => app.close())
  const requests = () => lines.filter(({ msg }) => msg === 'request')
  const next = async (): Promise<Line> => {
    const count = requests().length
    await until('a line', () => requests().length > count)
    return requests().at(-1) as Line
  }
  return { app, url, lines, requests, next }
}

test('one line per request says what came, where it went, how it ended and how long it took', async (t) => {
  const target = await startTarget(t)
  const { url, next, requests } = await logged(t, {
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ name: 'everything', path: '/*', upstream: 'u' }],
  })
  const line = next()
  await fetch(`${url}/a?x=1`)
  const {
    method,
    url: path,
    status,
    route,
    upstream,
    target: to,
    attempts,
    bytes,
    totalMs,
    upstreamMs,
    gatewayMs,
  } = await line
  assert.deepEqual(
    { method, path, status, route, upstream, to, attempts },
    {
      method: 'GET',
      path: '/a?x=1',
      status: 200,
      route: 'everything',
      upstream: 'u',
      to: target.origin,
      attempts: 1,
    },
  )
  assert.ok(typeof bytes === 'number' && bytes > 100)
  assert.ok(Math.abs(Number(totalMs) - Number(upstreamMs) - Number(gatewayMs)) < 0.05)
  await fetch(`${url}/nothing`)
  assert.equal(requests().length, 2)
})

test('the line of a failed exchange names each attempt and its end; the client hears none of it', async (t) => {
  const dead = [await deadOrigin(), await deadOrigin()]
  const { url, next } = await logged(t, {
    upstreams: { u: { targets: dead.map((origin) => ({ origin })), failover: { retries: 1 } } },
    routes: [{ path: '/*', upstream: 'u' }],
  })
  const line = next()
  const response = await fetch(`${url}/`)
  const body = await response.text()
  assert.equal(response.status, 502)
  for (const origin of dead) assert.ok(!body.includes(origin.slice(7)))
  assert.ok(!body.includes('ECONNREFUSED'))
  const { status, error, tried, cause } = await line
  assert.deepEqual([status, error], [502, 'GTW_UPSTREAM_UNREACHABLE'])
  assert.match(String(cause), /ECONNREFUSED/)
  assert.deepEqual(
    (tried as Line[]).map(({ outcome, decision }) => [outcome, decision]),
    [
      ['connect', 'retry'],
      ['connect', 'give-up'],
    ],
  )
})

test('a client that leaves is logged as having left', async (t) => {
  const target = await startTarget(t, () => {})
  const { url, next } = await logged(t, {
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'u' }],
  })
  const line = next()
  const request = http.get(`${url}/`)
  request.on('error', () => {})
  await until('the request to arrive', () => target.seen.length === 1)
  request.destroy()
  const { aborted, status } = await line
  assert.deepEqual([aborted, status], [true, undefined])
})

test('the access log can be off, for all routes or for one', async (t) => {
  const target = await startTarget(t)
  const upstreams = { u: { targets: [{ origin: target.origin }] } }
  const off = await logged(t, { logs: { access: false }, upstreams, routes: [{ path: '/*', upstream: 'u' }] })
  await fetch(`${off.url}/`)
  const some = await logged(t, {
    upstreams,
    routes: [
      { path: '/quiet', upstream: 'u', logLevel: 'warn' },
      { path: '/*', upstream: 'u' },
    ],
  })
  await fetch(`${some.url}/quiet`)
  const line = some.next()
  await fetch(`${some.url}/loud`)
  assert.equal((await line)['url'], '/loud')
  assert.equal(some.requests().length, 1)
  assert.equal(off.requests().length, 0)
})

test('a fit request id is taken over, told to target and client, and logged; another is replaced', async (t) => {
  const target = await startTarget(t)
  const { url, next } = await logged(t, {
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'u' }],
  })
  let line = next()
  const given = await fetch(`${url}/`, { headers: { 'x-request-id': 'order-17' } })
  assert.equal(given.headers.get('x-request-id'), 'order-17')
  assert.equal(target.seen[0]?.headers['x-request-id'], 'order-17')
  assert.equal((await line)['reqId'], 'order-17')
  line = next()
  const made = await fetch(`${url}/`, { headers: { 'x-request-id': 'a b"c' } })
  const id = made.headers.get('x-request-id')
  assert.match(String(id), /^[0-9a-f]{16}-/)
  assert.equal(target.seen[1]?.headers['x-request-id'], id)
  assert.equal((await line)['reqId'], id)
})

test('what looks like a secret in a query is not logged', () => {
  assert.equal(redactedUrl('/a?access_token=s3cr3t&x=1'), '/a?access_token=[redacted]&x=1')
  assert.equal(
    redactedUrl('/a?x=1&api-key=k&Password=p&code=c'),
    '/a?x=1&api-key=[redacted]&Password=[redacted]&code=[redacted]',
  )
  assert.equal(redactedUrl('/a?keyboard=qwerty&x=token'), '/a?keyboard=qwerty&x=token')
})
