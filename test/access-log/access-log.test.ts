import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http, { type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { choose } from '../../plugins/access-log/choose.ts'
import { coloured, plain, prettyLine, printable } from '../../plugins/access-log/pretty.ts'
import { makeKey } from '../../plugins/auth/api-key/key.ts'
import { hashKey } from '../../plugins/auth/api-key/node.ts'
import { GatewayError } from '../../plugins/upstreams/errors.ts'
import { seededDice } from '../support/dice.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest, startGateway } from '../support/gateway.ts'
import { ROOT } from '../support/process.ts'
import { type Answer, deadOrigin, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'

type Line = Record<string, unknown>

async function logged(
  t: Parameters<typeof startTarget>[0],
  config: object,
  use: (app: FastifyInstance) => Promise<void> = async () => {},
) {
  const lines: Line[] = []
  const { app, url } = await startGateway(config, { log: (line) => lines.push(JSON.parse(line)), use })
  // Not waited for: a closing gateway lingers, and the next test need not.
  t.after(() => {
    app.server.closeAllConnections()
    void app.close()
  })
  const requests = () => lines.filter(({ msg }) => msg === 'request')
  const next = async (): Promise<Line> => {
    const count = requests().length
    await until('a line', () => requests().length > count)
    return requests().at(-1) as Line
  }
  return { app, url, lines, requests, next }
}

const connectionsOf = (app: FastifyInstance): Promise<number> =>
  new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count)))

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

test('a target that is silent in the middle of its answer is the target’s time; a tunnel is nobody’s', async (t) => {
  const target = await startFaulty(t, ({ socket, head }) => {
    if (head.startsWith('GET /ws')) {
      socket.write(wire('HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: websocket', ''))
      setTimeout(() => socket.end(), 300)
      return
    }
    socket.write(wire('HTTP/1.1 200 OK\nContent-Type: text/event-stream', 'data: 1\n\n'))
    setTimeout(() => socket.end('data: 2\n\n'), 300)
  })
  const { app, url, next } = await logged(t, {
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'u', upgrade: ['websocket'] }],
  })
  const stream = next()
  await (await fetch(`${url}/`)).text()
  const { totalMs, upstreamMs, gatewayMs } = await stream
  // Far from all of it: the gateway may be slow to begin here, in one process with its target.
  assert.ok(Number(upstreamMs) >= 100, `${upstreamMs} of ${totalMs}`)
  assert.ok(Math.abs(Number(totalMs) - Number(upstreamMs) - Number(gatewayMs)) < 0.05)
  const tunnel = next()
  const { port } = app.server.address() as AddressInfo
  await rawRequest(port, 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
  const line = await tunnel
  assert.equal(line.status, 101)
  assert.ok(Number(line.totalMs) >= 200, `${line.totalMs}`)
  assert.ok(Number(line.upstreamMs) <= Number(line.totalMs) - 100, `${line.upstreamMs} of ${line.totalMs}`)
  assert.equal(line.gatewayMs, undefined)
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
  const all = (tried as Line[]).map((one) => `${one['outcome']} ${one['decision']}`)
  assert.equal(all.pop(), 'connect give-up')
  assert.deepEqual([...new Set(all)], ['connect retry'])
  assert.deepEqual(new Set((tried as Line[]).map((one) => one['target'])), new Set(dead))
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
  const { aborted, status, broken } = await line
  assert.deepEqual([aborted, status, broken], [true, undefined, undefined])
})

test('what was written but never taken is not logged as sent, and the client that left has its address', async (t) => {
  const size = 12_000_000
  const target = await startTarget(t, (_seen, response) => response.end(Buffer.alloc(size)))
  const { url, next, app } = await logged(t, {
    server: { http2: true },
    // Gathered whole: it is written at once, and ended with it.
    upstreams: { u: { targets: [{ origin: target.origin }], gatherResponse: '16MiB' } },
    routes: [{ path: '/*', upstream: 'u' }],
  })
  const { port } = app.server.address() as AddressInfo
  const ended = async (leave: () => void): Promise<number> => {
    const line = next()
    leave()
    const { status, aborted, client, bytes } = await line
    assert.deepEqual([status, aborted, client], [200, true, '127.0.0.1'])
    return Number(bytes)
  }
  const socket = connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await once(socket, 'readable')
  const bytes = await ended(() => socket.resetAndDestroy())
  assert.ok(bytes > 0 && bytes < size, `${bytes}`)

  const session = http2.connect(url).on('error', () => {})
  t.after(() => session.destroy())
  for (const leave of [
    (stream: http2.ClientHttp2Stream) => stream.close(http2.constants.NGHTTP2_CANCEL),
    () => session.destroy(),
  ]) {
    const stream = session.request({ ':path': '/' }).on('error', () => {})
    await once(stream, 'readable')
    await ended(() => leave(stream))
  }

  // Left in the middle of an upload, when nobody has asked for the address yet.
  const line = next()
  const uploading = connect(port, '127.0.0.1')
  uploading.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf')
  await until('the upload to begin', async () => (await connectionsOf(app)) > 0)
  setTimeout(() => uploading.resetAndDestroy(), 30)
  const { status, aborted, client } = await line
  assert.deepEqual([status, aborted, client], [undefined, true, '127.0.0.1'])
})

test('requests that a client has pipelined, and never got to be served, have no line', async (t) => {
  const target = await startTarget(t, () => {})
  const { url, requests, next } = await logged(t, {
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [
      { path: '/held', upstream: 'u' },
      { path: '/*', respond: { status: 200, body: 'ok' } },
    ],
  })
  const line = next()
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(['/held', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`).join(''))
  await until('the request to arrive', () => target.seen.length === 1)
  socket.destroy()
  assert.deepEqual([(await line)['url'], (await line)['aborted']], ['/held', true])
  await fetch(`${url}/4`)
  await until('the next line', () => requests().length > 1)
  assert.deepEqual(
    requests().map(({ url }) => url),
    ['/held', '/4'],
  )
})

test('the line of a request with a hedge names the target that answered, not the one that was tried last', async (t) => {
  let first: { readonly host: string; readonly response: ServerResponse } | undefined
  // The first attempt answers after all, as soon as the hedge has come, which never does.
  const answers: Answer = ({ headers: { host = '' } }, response) => {
    if (first === undefined) first = { host, response }
    else first.response.end('first')
  }
  const targets = [await startTarget(t, answers), await startTarget(t, answers)]
  const { url, next } = await logged(t, {
    upstreams: {
      u: {
        targets: targets.map(({ origin }) => ({ origin })),
        host: 'target',
        failover: { hedge: { after: '20ms', atLeast: 0, maxExtra: 1 } },
      },
    },
    routes: [{ path: '/*', upstream: 'u' }],
  })
  const line = next()
  assert.equal(await (await fetch(`${url}/`)).text(), 'first')
  const { target, tried } = await line
  assert.equal(target, `http://${first?.host}`)
  assert.deepEqual(
    (tried as Line[]).map(({ decision }) => decision),
    ['commit', 'abandon'],
  )
})

test('a tunnel is never slow, however long it was open', async (t) => {
  const target = await startFaulty(t, ({ socket }) => {
    socket.write(wire('HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: websocket', ''))
    setTimeout(() => socket.end(), 60)
  })
  const { app, next } = await logged(t, {
    logs: { slowerThan: '20ms' },
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'u', upgrade: ['websocket'] }],
  })
  const line = next()
  const { port } = app.server.address() as AddressInfo
  await rawRequest(port, 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
  const { status, slow, level, totalMs } = await line
  assert.ok(Number(totalMs) > 20)
  assert.deepEqual([status, slow, level], [101, undefined, 30])
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

test('a fit request id of a trusted peer is taken over, told to target and client, and logged; another is replaced', async (t) => {
  const target = await startTarget(t, (_seen, response) => {
    response.setHeader('x-request-id', 'the-targets-own')
    response.end()
  })
  const { url, next } = await logged(t, {
    server: { trustProxy: ['127.0.0.1'] },
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

test('nobody but a trusted peer says which id his requests have', async (t) => {
  const target = await startTarget(t)
  const { url } = await logged(t, {
    server: { trustProxy: ['10.0.0.0/8'] },
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'u' }],
  })
  const { headers } = await fetch(`${url}/`, { headers: { 'x-request-id': 'order-17' } })
  assert.match(String(headers.get('x-request-id')), /^[0-9a-f]{16}-/)
  assert.equal(target.seen[0]?.headers['x-request-id'], headers.get('x-request-id'))
})

test('every field of a line is in docs/logs.md, and every field there is in a line', async (t) => {
  const page = await readFile(join(ROOT, 'docs/logs.md'), 'utf8')
  const table = page.slice(page.indexOf('## Fields'), page.indexOf('An entry of `tried`'))
  const documented = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name as string)
  const entry = page.slice(page.indexOf('An entry of `tried`'), page.indexOf('## For people'))

  const target = await startTarget(t)
  const breaking = await startFaulty(t, ({ socket }) => {
    socket.write(
      wire('HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked', '1\r\na\r\n'),
    )
    setTimeout(() => socket.destroy(), 20)
  })
  const { url, requests } = await logged(
    t,
    {
      logs: { sample: 0.999_999, slowerThan: '900ms', headers: ['user-agent'] },
      tracing: {},
      upstreams: {
        u: { targets: [{ origin: target.origin }] },
        gone: { targets: [{ origin: await deadOrigin() }, { origin: await deadOrigin() }] },
        breaking: { targets: [{ origin: breaking.origin }] },
      },
      routes: [
        { path: '/gone', upstream: 'gone' },
        { path: '/breaking', upstream: 'breaking' },
        { path: '/*', upstream: 'u' },
      ],
    },
    async (app) => {
      app.addHook('preHandler', async (request) => {
        request.identity = { name: 'ann', kind: 'jwt' } as never
        if (request.url === '/slow') await new Promise((resolve) => setTimeout(resolve, 950))
      })
    },
  )
  for (const path of ['/', '/gone', '/breaking', '/slow'])
    await fetch(url + path)
      .then((response) => response.text())
      .catch(() => {})
  await until('four lines', () => requests().length === 4)
  const seen = new Set(requests().flatMap((line) => Object.keys(line)))
  assert.deepEqual(documented.toSorted(), [...seen].toSorted())
  const of = (path: string) => requests().find((line) => line['url'] === path) as Line
  const tried = requests().flatMap((line) => (line['tried'] ?? []) as Line[])
  for (const name of new Set(tried.flatMap((one) => Object.keys(one))))
    assert.ok(entry.includes(`\`${name}\``), name)

  assert.deepEqual([of('/')['sample'], of('/')['identity']], [0.999_999, { name: 'ann', kind: 'jwt' }])
  assert.deepEqual(of('/')['headers'], { 'user-agent': 'node' })
  assert.deepEqual([of('/breaking')['aborted'], of('/breaking')['broken']], [true, true])
  const slow = of('/slow')
  assert.deepEqual([slow['level'], slow['slow'], slow['sample']], [40, true, undefined])
  const [{ startMs, waitMs, tookMs, ...attempt }] = slow['tried'] as [Line]
  assert.deepEqual(attempt, {
    target: target.origin,
    kind: 'first',
    outcome: 'answered',
    status: 200,
    decision: 'commit',
  })
  assert.ok(Number(startMs) >= 945, 'after what the hook waited')
  assert.ok(Number(waitMs) <= Number(tookMs) && Number(startMs) + Number(tookMs) <= Number(slow['totalMs']))
})

test('a part of what ended well is logged, and all of the rest; who it is can be left out', async (t) => {
  const target = await startTarget(t, (seen, response) => {
    response.statusCode = seen.url === '/bad' ? 500 : 200
    setTimeout(() => response.end(), seen.url === '/slow' ? 950 : 0)
  })
  const { url, requests } = await logged(
    t,
    {
      logs: { sample: 0, slowerThan: '900ms', identity: false },
      upstreams: { u: { targets: [{ origin: target.origin }], failover: { retries: 0, hedge: false } } },
      routes: [
        { path: '/quiet/*', upstream: 'u', logLevel: 'error' },
        { path: '/*', upstream: 'u' },
      ],
    },
    async (app) => {
      app.addHook('preHandler', async (request) => {
        request.identity = { name: 'ann', kind: 'jwt' } as never
      })
    },
  )
  for (const path of ['/fine', '/bad', '/fine', '/slow', '/quiet/slow', '/..%2f'])
    await fetch(url + path).then((response) => response.text())
  await until('the last line', () => requests().length === 3)
  assert.deepEqual(
    requests().map(({ url: path, identity }) => [path, identity]),
    [
      ['/bad', undefined],
      ['/slow', undefined],
      ['/..%2f', undefined],
    ],
  )
})

test('only what ended well is a matter of chance', () => {
  const dice = seededDice(5)
  const fine = { status: 200, aborted: false, totalMs: 10 }
  const options = { sample: 0.1, slowerThan: 1000 }
  const written = Array.from({ length: 5000 }, () => choose(fine, options, dice)).filter(({ write }) => write)
  assert.ok(Math.abs(written.length - 500) < 4.5 * Math.sqrt(5000 * 0.1 * 0.9), String(written.length))
  assert.equal(written[0]?.sample, 0.1)
  for (const end of [
    { ...fine, status: 400 },
    { ...fine, status: 503 },
    { ...fine, status: 0 },
    { ...fine, aborted: true },
    { ...fine, totalMs: 1001 },
  ])
    assert.deepEqual(
      choose(end, options, () => 0.99),
      { write: true, slow: end.totalMs > 1000, sample: undefined },
    )
  assert.equal(choose(fine, { sample: 1 }, () => assert.fail()).write, true)
  const tunnel = { ...fine, status: 101, totalMs: 3_600_000 }
  assert.deepEqual(
    choose(tunnel, options, () => 0.99),
    { write: false, slow: false, sample: 0.1 },
  )
})

test('a client cannot write lines of its own, nor move the cursor of who reads them', async (t) => {
  const evil = '\u009b2J\u0085x\u00ff'
  const target = await startTarget(t)
  const config = {
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'u' }],
  }
  const raw: string[] = []
  const written = async (format: string) => {
    const logs = { format, headers: ['x-evil'] }
    const { app, port } = await startGateway({ logs, ...config } as object, { log: (line) => raw.push(line) })
    t.after(() => void app.close())
    raw.length = 0
    await rawRequest(
      port,
      `GET /a%0a%1b[2J HTTP/1.1\r\nHost: a\r\nX-Evil: ${evil}\r\nConnection: close\r\n\r\n`,
    )
    await until('a line', () => raw.length > 0)
    return raw.join('')
  }
  const json = await written('json')
  assert.equal(json.split('\n').length, 2)
  assert.equal(JSON.parse(json).headers['x-evil'], evil)
  const pretty = await written('pretty')
  assert.match(
    pretty,
    /^\d\d:\d\d:\d\d\.\d{3} {2}200 {2}GET {4} +[\d.]+ms {2}\/a%0a%1b\[2J +u 127\.0\.0\.1:\d+ {2}x-evil: \\x9b2J\\x85xÿ\n$/,
  )
  assert.equal(printable('a\n\x1b[31m\u202e\u2028é'), 'a\\x0a\\x1b[31m\\u202e\\u2028é')
})

test('the pretty form is aligned, coloured where that is wanted, and shows the attempts of a slow request', () => {
  const entry = { target: 'http://10.0.0.1:80', kind: 'first', startMs: 0.4, waitMs: 0.2 } as const
  const base = {
    method: 'GET',
    host: 'a',
    url: '/x',
    client: '1.2.3.4',
    status: 200,
    upstream: 'u',
    target: 'http://10.0.0.1:80',
    totalMs: 3.14,
  } as Parameters<typeof prettyLine>[0]
  const line = (more: object, paint = plain) => prettyLine({ ...base, ...more }, 'TIME', 'id', paint)
  const usual = line({})
  assert.equal(usual, `TIME  200  GET          3.1ms  ${'/x'.padEnd(32)}  u 10.0.0.1:80`)
  assert.equal(
    line({ status: undefined, aborted: true, method: 'OPTIONS', totalMs: 12_345.6 }).indexOf('/x'),
    usual.indexOf('/x'),
  )
  assert.match(line({ status: 502, error: 'GTW_X', cause: 'a\nb' }), /GTW_X: a\\x0ab {2}id$/)
  assert.match(line({ aborted: true, broken: true, status: 200 }), /target broke off/)
  const tried = [
    { ...entry, outcome: 'timeout', status: undefined, decision: 'retry', tookMs: 1000.2 },
    {
      ...entry,
      kind: 'retry',
      outcome: 'answered',
      status: 200,
      decision: 'commit',
      startMs: 1001.1,
      waitMs: 20,
      tookMs: undefined,
    },
  ]
  assert.deepEqual(line({ slow: true, totalMs: 1204, tried }).split('\n').slice(1), [
    '                  +0.4ms  1000.2ms  first  10.0.0.1:80  timeout, retry',
    '               +1001.1ms      open  retry  10.0.0.1:80  200, commit  waited 20.0ms',
  ])
  assert.match(line({ tried }), /2 attempts: timeout, 200$/)
  const cut = [tried[0], { ...tried[1], outcome: 'abandoned' }]
  assert.match(line({ tried: cut, aborted: true }), /2 attempts: timeout, 200 abandoned {2}client left$/)
  assert.ok(line({}, coloured).includes('\x1b[32m200\x1b[0m'))
})

test('an error of a plugin is logged by the code that the client is told, and its own words hold no secret', async (t) => {
  const target = await startTarget(t)
  const { url, next } = await logged(
    t,
    { upstreams: { u: { targets: [{ origin: target.origin }] } }, routes: [{ path: '/*', upstream: 'u' }] },
    async (app) => {
      app.addHook('preHandler', async (request) => {
        const statusCode = request.url.startsWith('/wrong') ? 422 : 502
        throw Object.assign(new Error(`bad: ${request.url}`), { code: 'FST_BAD', statusCode })
      })
    },
  )
  for (const [path, code] of [
    ['/wrong', 'GTW_BAD_REQUEST'],
    ['/broken', 'GTW_INTERNAL'],
  ]) {
    const line = next()
    const response = await fetch(`${url}${path}?pwd=hush`)
    const told = (await response.json()) as Line
    const { error, cause } = await line
    assert.deepEqual([told['code'], error, cause], [code, code, `FST_BAD: bad: ${path}?pwd=[redacted]`])
  }
})

test('a client that leaves in mid-answer: the line of the 200 shows which attempt it came from', async (t) => {
  const target = await startTarget(t, (_seen, response) => {
    if (target.seen.length === 1) response.destroy()
    else {
      response.writeHead(200, { 'content-length': 1_000_000 })
      response.write('x'.repeat(500_000))
    }
  })
  const { url, next } = await logged(t, {
    upstreams: { u: { targets: [{ origin: target.origin }] } },
    routes: [{ path: '/*', upstream: 'u' }],
  })
  const line = next()
  const request = http.get(`${url}/`, (response) => response.once('data', () => request.destroy()))
  request.on('error', () => {})
  const { status, aborted, tried } = await line
  assert.deepEqual([status, aborted], [200, true])
  assert.deepEqual(
    (tried as Line[]).map((one) => [one['outcome'], one['decision'], one['status']]),
    [
      ['reset', 'retry', undefined],
      ['abandoned', 'commit', 200],
    ],
  )
})

test('an API key is in no line, whatever its header and parameter are called and whoever refuses the request', async (t) => {
  const target = await startTarget(t)
  const key = makeKey(randomBytes(32))
  const { url, lines, next, app } = await logged(
    t,
    {
      logs: { headers: ['x-partner', 'x-bearing', 'Referer'] },
      auth: {
        'api-key': { header: 'X-Partner', query: 'K' },
        jwt: {
          issuers: [{ issuer: 'https://a', audience: 'a', secret: key }],
          from: { header: 'x-bearing' },
        },
      },
      consumers: { shop: { apiKeys: [{ hash: hashKey(key) }] } },
      upstreams: { u: { targets: [{ origin: target.origin }] } },
      routes: [
        { path: '/keys/*', upstream: 'u', auth: 'api-key' },
        { path: '/jwt/*', upstream: 'u', auth: 'jwt' },
        { path: '/shed', name: 'shed', upstream: 'u', auth: 'api-key' },
        { path: '/open', upstream: 'u' },
      ],
    },
    async (fastify) => {
      fastify.addGuard({
        name: 'shed',
        stage: 'address',
        forRoute: ({ name }) =>
          name === 'shed'
            ? () => {
                throw new GatewayError('GTW_OVERLOADED', 503, 'gateway', 'Too much')
              }
            : undefined,
      })
    },
  )
  for (const [path, status] of [
    ['/keys/a', 200],
    ['/nowhere', 404],
    ['/shed', 503],
    ['/open', 200],
    ['/jwt/a', 401],
  ] as const) {
    const line = next()
    const headers = { 'x-partner': key, 'x-bearing': key, referer: `http://a/?x=1&k=${key}` }
    assert.equal((await fetch(url + path, { headers })).status, status, path)
    assert.deepEqual(
      (await line)['headers'],
      {
        // Authentication has taken it off its request.
        ...(path === '/keys/a' ? {} : { 'x-partner': '[redacted]' }),
        'x-bearing': '[redacted]',
        referer: 'http://a/?x=1&k=[redacted]',
      },
      path,
    )
  }
  assert.ok(!lines.some((line) => JSON.stringify(line).includes(key)))
  assert.deepEqual([...app.secretHeaders], ['x-partner', 'x-bearing'])
})

test('a secret behind a semicolon, in the path or before the host is not logged', async (t) => {
  const { app, lines, next } = await logged(t, {
    tracing: {},
    upstreams: {},
    routes: [{ path: '/*', respond: { status: 200, body: 'ok' } }],
  })
  const { port } = app.server.address() as AddressInfo
  for (const target of ['http://u:s3cret@h/a', 'http://s3cret@h:1/a', '/a;jsessionid=s3cret/x']) {
    const line = next()
    await rawRequest(port, `GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
    assert.match(String((await line)['host']), /^h(:1)?$/)
  }
  assert.ok(!JSON.stringify(lines).includes('s3cret'), JSON.stringify(lines))
})
