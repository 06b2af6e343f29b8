/** Traces of a running gateway, as a collector receives them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { readGateway } from '../support/config.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest, startGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { ROOT } from '../support/process.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { type ReceivedSpan, type Receiver, startReceiver } from './support.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const LIMIT = { timeout: 30_000 }

interface Setup {
  readonly tracing?: object
  readonly upstream?: object
  readonly config?: object
  readonly use?: (app: FastifyInstance) => void
}

/** A gateway over `origins`, tried in their order, that traces into `receiver`. */
async function traced(
  t: Parameters<typeof startTarget>[0],
  receiver: Pick<Receiver, 'endpoint'> | undefined,
  origins: readonly string[],
  { tracing, upstream, config, use }: Setup = {},
) {
  const lines: Record<string, unknown>[] = []
  const gateway = await startGateway(
    {
      tracing: {
        ...(receiver === undefined ? {} : { endpoint: receiver.endpoint }),
        interval: '10ms',
        trust: 'always',
        ...tracing,
      },
      upstreams: {
        users: {
          targets: origins.map((origin) => ({ origin })),
          failover: { hedge: false },
          outlierDetection: false,
          proofOfLife: false,
          ...upstream,
        },
      },
      routes: [{ path: '/users/*', name: 'users by id', upstream: 'users', upgrade: ['websocket'] }],
      ...config,
    } as object,
    {
      log: (line) => lines.push(JSON.parse(line)),
      use: async (app) => {
        app.upstreams.defineBalancer('in-order', () => ({
          pick: (candidates, { tried }) => candidates.find((one) => !tried.has(one)) ?? candidates[0],
        }))
        app.upstreams.balance('users', 'in-order', {})
        use?.(app)
      },
    },
  )
  t.after(() => {
    gateway.app.server.closeAllConnections()
    void gateway.app.close()
  })
  const count = (name: string): number => {
    let sum = 0
    gateway.app.upstreams.collectors.find((one) => one.name === name)?.collect((value) => (sum += value))
    return sum
  }
  return { ...gateway, lines, count }
}

function shape(spans: readonly ReceivedSpan[]) {
  const [server, ...attempts] = spans
  assert.ok(server !== undefined)
  for (const one of attempts) {
    assert.equal(one.traceId, server.traceId)
    assert.equal(one.parentSpanId, server.spanId)
    assert.ok(one.from >= server.from && one.to <= server.to && one.from <= one.to, 'inside the exchange')
    assert.deepEqual([server.kind, one.kind], [2, 3])
  }
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length)
  return attempts.map(({ attributes: a }) =>
    [
      a['holdfast.attempt.kind'],
      a['holdfast.attempt.outcome'],
      a['holdfast.attempt.decision'],
      a['http.response.status_code'] ?? a['error.type'],
    ].join(' '),
  )
}

/** Parent of a header as a target got it. */
function parentOf(traceparent: string | string[] | undefined): string[] {
  assert.match(String(traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/)
  return String(traceparent).split('-')
}

describe('an exchange is a tree', LIMIT, () => {
  it('of a server span and one attempt, with what the conventions ask for, and no secrets', async (t) => {
    const receiver = await startReceiver(t)
    const target = await startTarget(t)
    const { url, port, lines } = await traced(t, receiver, [target.origin], {
      tracing: {
        serviceName: 'edge',
        attributes: { 'deployment.environment.name': 'test' },
        headers: { 'x-token': 's3cret' },
      },
    })
    const before = BigInt(Date.now() - 1) * 1_000_000n
    await fetch(`${url}/users/7?token=hush`, {
      headers: {
        traceparent: `00-${TRACE}-${SPAN}-01`,
        tracestate: 'a=1, b=2',
        baggage: 'k=v',
        'user-agent': 'ua',
      },
    })
    const spans = await receiver.tree(2)
    const [server, attempt] = spans as [ReceivedSpan, ReceivedSpan]
    assert.deepEqual(shape(spans), ['first answered commit 200'])
    const { 'holdfast.request_id': id, 'network.peer.address': peer, ...attributes } = server.attributes
    assert.deepEqual(attributes, {
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'url.path': '/users/7',
      'http.route': '/users/*',
      'holdfast.route': 'users by id',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': port,
      'client.address': '127.0.0.1',
      'network.protocol.version': '1.1',
      'user_agent.original': 'ua',
      'holdfast.upstream': 'users',
      'holdfast.attempts': 1,
    })
    assert.ok(typeof id === 'string' && typeof peer === 'string')
    assert.deepEqual([server.name, server.traceId, server.parentSpanId], ['GET /users/*', TRACE, SPAN])
    // The parent is another process's: OTLP's flags say so.
    assert.deepEqual([server.flags, attempt.flags, server.traceState], [0x301, 0x101, 'a=1,b=2'])
    assert.deepEqual([server.status, server.links, server.events], [undefined, [], []])
    assert.ok(server.from >= before && server.to <= BigInt(Date.now() + 1) * 1_000_000n, 'wall-clock times')
    const { 'holdfast.attempt.wait_ms': wait, 'holdfast.attempt.head_ms': head, ...more } = attempt.attributes
    assert.ok(Number(wait) >= 0 && Number(head) >= Number(wait))
    assert.deepEqual(more, {
      'http.request.method': 'GET',
      'url.full': `${target.origin}/users/7`,
      'server.address': '127.0.0.1',
      'server.port': target.port,
      'http.response.status_code': 200,
      'holdfast.attempt.kind': 'first',
      'holdfast.attempt.outcome': 'answered',
      'holdfast.attempt.decision': 'commit',
    })
    // What the target was told is this attempt, and nothing of what the client said is there twice.
    const { headers, rawHeaders } = target.seen[0] as (typeof target.seen)[number]
    assert.deepEqual(parentOf(headers['traceparent']), ['00', TRACE, attempt.spanId, '01'])
    assert.deepEqual([headers['tracestate'], headers['baggage']], ['a=1,b=2', 'k=v'])
    assert.equal(rawHeaders.filter((name) => /^trace/i.test(name)).length, 2)
    assert.ok(!JSON.stringify(spans, (_, v) => (typeof v === 'bigint' ? `${v}` : v)).includes('hush'))
    const [{ headers: sent, resource, scope }] = receiver.requests as [Receiver['requests'][number]]
    assert.deepEqual([sent['x-token'], sent['content-encoding']], ['s3cret', 'gzip'])
    assert.deepEqual(
      [
        resource['service.name'],
        resource['deployment.environment.name'],
        typeof resource['service.instance.id'],
      ],
      ['edge', 'test', 'string'],
    )
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    assert.deepEqual(
      [resource['service.version'], resource['telemetry.sdk.version'], scope],
      [version, version, { name: 'holdfast', version }],
    )
    await until('the access line', () => lines.some(({ msg }) => msg === 'request'))
    const line = lines.find(({ msg }) => msg === 'request')
    assert.deepEqual([line?.['traceId'], line?.['spanId']], [TRACE, server.spanId])
    assert.ok(!JSON.stringify(lines).includes('s3cret'))
  })

  it('of retries, each a child of its own, with the reasons as events', async (t) => {
    const receiver = await startReceiver(t)
    const sick = await startTarget(t, (_seen, response) => void response.writeHead(503).end('no'))
    const well = await startTarget(t)
    const { url } = await traced(t, receiver, [await deadOrigin(), sick.origin, well.origin])
    assert.equal((await fetch(`${url}/users/1`)).status, 200)
    const spans = await receiver.tree(4)
    assert.deepEqual(shape(spans), [
      'first failed retry connect',
      'retry answered retry 503',
      'retry answered commit 200',
    ])
    const [server, ...attempts] = spans as [ReceivedSpan, ...ReceivedSpan[]]
    assert.deepEqual(
      server.events.map(({ name, attributes }) => [name, attributes['holdfast.reason']]),
      [
        ['retry', 'connect'],
        ['retry', '503'],
      ],
    )
    assert.deepEqual(
      attempts.map(({ attributes, status }) => [attributes['http.request.resend_count'], status?.code]),
      [
        [undefined, 2],
        [1, 2],
        [2, undefined],
      ],
    )
    assert.equal(server.status, undefined, 'the client noticed nothing')
    const told = [sick, well].map(({ seen }) => parentOf(seen[0]?.headers['traceparent']))
    assert.deepEqual(
      told.map(([, traceId, spanId]) => [traceId, spanId]),
      attempts.slice(1).map(({ traceId, spanId }) => [traceId, spanId]),
    )
  })

  it('of a hedge beside the attempt that it overtook', async (t) => {
    const receiver = await startReceiver(t)
    const slow = await startFaulty(t, () => {})
    const quick = await startTarget(t)
    const { url } = await traced(t, receiver, [slow.origin, quick.origin], {
      upstream: { failover: { hedge: { after: '20ms', minPerSecond: 1000 } } },
    })
    assert.equal((await fetch(`${url}/users/1`)).status, 200)
    const spans = await receiver.tree(3)
    assert.deepEqual(shape(spans), ['first abandoned abandon ', 'hedge answered commit 200'])
    const [server, first, hedge] = spans as [ReceivedSpan, ReceivedSpan, ReceivedSpan]
    assert.ok(hedge.from > first.from && hedge.from < first.to, 'beside it')
    assert.deepEqual(
      server.events.map(({ name, attributes }) => [name, attributes['holdfast.reason']]),
      [['hedge', 'slow']],
    )
    const head = slow.requests[0]?.head ?? ''
    assert.equal(parentOf(/traceparent: (\S+)/i.exec(head)?.[1])[2], first.spanId)
  })

  it('that a client reached by an address of IPv6: no brackets, and a route by its pattern', async (t) => {
    const receiver = await startReceiver(t)
    const target = await startTarget(t)
    const { port } = await traced(t, receiver, [target.origin], {
      config: { routes: [{ path: /^\/users\/(?<id>\d+)$/, name: 'one', upstream: 'users' }] },
    })
    const request = `GET /users/7 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nConnection: close\r\n\r\n`
    await rawRequest(port, request)
    const [{ attributes, name }] = (await receiver.tree(2)) as [ReceivedSpan]
    assert.deepEqual([attributes['server.address'], attributes['server.port']], ['2001:db8::1', 8080])
    assert.equal(attributes['http.route'], '^\\/users\\/(?<id>\\d+)$')
    assert.equal(name, `GET ${attributes['http.route']}`)
  })

  it('of an error, whoever is to blame for it; refused requests too', async (t) => {
    const receiver = await startReceiver(t)
    const { url, port } = await traced(t, receiver, [await deadOrigin()], {
      upstream: { failover: { retries: 0 } },
    })
    assert.equal((await fetch(`${url}/users/1`)).status, 502)
    const failed = await receiver.tree(2)
    assert.deepEqual(shape(failed), ['first failed give-up connect'])
    assert.deepEqual(
      [failed[0]?.attributes['error.type'], failed[0]?.status?.code],
      ['GTW_UPSTREAM_UNREACHABLE', 2],
    )
    await fetch(`${url}/nothing`)
    const [missing] = (await receiver.tree(1)) as [ReceivedSpan]
    assert.deepEqual(
      [missing.name, missing.attributes['http.response.status_code'], missing.status],
      ['GET', 404, undefined],
    )
    await rawRequest(port, 'BREW /users/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await rawRequest(port, 'PROPFIND /users/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const [odd] = (await receiver.tree(1)) as [ReceivedSpan]
    assert.deepEqual(
      [
        odd.name.split(' ')[0],
        odd.attributes['http.request.method'],
        odd.attributes['http.request.method_original'],
      ],
      ['HTTP', '_OTHER', 'PROPFIND'],
    )
  })

  it('of a client that leaves, and of a target that breaks off what was being sent', async (t) => {
    const receiver = await startReceiver(t)
    const silent = await startFaulty(t, () => {})
    const { url } = await traced(t, receiver, [silent.origin])
    const request = http.get(`${url}/users/1`)
    request.on('error', () => {})
    await silent.arrived(1)
    request.destroy()
    const left = await receiver.tree(2)
    assert.deepEqual(shape(left), ['first abandoned abandon '])
    assert.deepEqual(
      [left[0]?.attributes['error.type'], left[0]?.attributes['http.response.status_code'], left[0]?.status],
      ['client_left', undefined, undefined],
    )

    const breaking = await startFaulty(t, ({ socket }) => {
      socket.write(
        wire('HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked', '3\r\nabc\r\n'),
      )
      setTimeout(() => socket.destroy(), 30)
    })
    const second = await traced(t, receiver, [breaking.origin])
    await fetch(`${second.url}/users/1`)
      .then((response) => response.text())
      .catch(() => {})
    const [broken] = (await receiver.tree(2)) as [ReceivedSpan]
    assert.deepEqual([broken.attributes['error.type'], broken.status?.code], ['target_broke', 2])
  })

  it('of a tunnel: the handshake is the attempt, the span is as long as the tunnel', async (t) => {
    const receiver = await startReceiver(t)
    const target = await startTarget(t)
    let told: string | undefined
    target.server.on('upgrade', (request, socket) => {
      told = request.headers['traceparent'] as string
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      socket.on('data', () => socket.end()).on('error', () => {})
    })
    const { port } = await traced(t, receiver, [target.origin])
    await new Promise<void>((resolve, reject) => {
      const request = http.request({
        port,
        path: '/users/ws',
        headers: { connection: 'upgrade', upgrade: 'websocket' },
      })
      request.on('upgrade', (_response, socket) => {
        setTimeout(() => socket.write('bye'), 60)
        socket
          .on('close', resolve)
          .on('error', () => {})
          .resume()
      })
      request.on('error', reject)
      request.end()
    })
    const spans = await receiver.tree(2)
    assert.deepEqual(shape(spans), ['first answered commit 101'])
    const [server, attempt] = spans as [ReceivedSpan, ReceivedSpan]
    assert.equal(parentOf(told)[2], attempt.spanId)
    assert.ok(server.to - attempt.to > 40_000_000n, 'the tunnel goes on after the handshake')
  })
})

test(
  'a client of HTTP/2 is traced alike, and others may add to the headers of attempts too',
  LIMIT,
  async (t) => {
    const receiver = await startReceiver(t)
    const target = await startTarget(t)
    const { url } = await traced(t, receiver, [await deadOrigin(), target.origin], {
      config: { server: { http2: true, drain: 0 } },
      use: (app) =>
        app.onAttempt((_request, record, headers) => void headers.push('x-attempt', String(record?.kind))),
    })
    const client = http2.connect(url)
    t.after(() => client.destroy())
    const request = client.request({
      ':path': '/users/1?a=b',
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: ['a=1', 'b=2'],
    })
    const [headers] = await once(request, 'response')
    request.resume()
    assert.equal(headers[':status'], 200)
    const spans = await receiver.tree(3)
    assert.deepEqual(shape(spans), ['first failed retry connect', 'retry answered commit 200'])
    const [server] = spans as [ReceivedSpan]
    assert.deepEqual(
      [
        server.traceId,
        server.traceState,
        server.attributes['network.protocol.version'],
        server.attributes['url.path'],
      ],
      [TRACE, 'a=1,b=2', '2', '/users/1'],
    )
    const told = target.seen[0]?.headers
    assert.deepEqual([told?.['x-attempt'], parentOf(told?.['traceparent'])[2]], ['retry', spans[2]?.spanId])
  },
)

describe('whose trace it is', LIMIT, () => {
  const given = { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1' }

  for (const [trust, trustProxy, believed] of [
    ['always', [], true],
    ['proxies', ['127.0.0.1'], true],
    ['proxies', ['10.0.0.0/8'], false],
    [undefined, [], false],
    ['never', ['127.0.0.1'], false],
  ] as const) {
    it(`${trust ?? 'by default'}, with ${trustProxy.join() || 'no'} proxies`, async (t) => {
      const receiver = await startReceiver(t)
      const target = await startTarget(t)
      const { url } = await traced(t, receiver, [target.origin], {
        tracing: { trust },
        config: { server: { trustProxy, drain: 0 } },
      })
      await fetch(`${url}/users/1`, { headers: given })
      const [server] = (await receiver.tree(2)) as [ReceivedSpan]
      const [, told] = parentOf(target.seen[0]?.headers['traceparent'])
      assert.equal(told, server.traceId)
      assert.equal(server.traceId === TRACE, believed)
      assert.equal(server.parentSpanId, believed ? SPAN : undefined)
      assert.deepEqual(server.links, believed ? [] : [{ traceId: TRACE, spanId: SPAN }])
      assert.equal(target.seen[0]?.headers['tracestate'], believed ? 'a=1' : undefined)
    })
  }

  it('a mirrored copy is told of the exchange, and of no attempt', async (t) => {
    const [target, mirror] = [await startTarget(t), await startTarget(t)]
    const receiver = await startReceiver(t)
    const { url } = await traced(t, receiver, [target.origin], {
      config: {
        upstreams: {
          users: { targets: [{ origin: target.origin }] },
          copy: { targets: [{ origin: mirror.origin }] },
        },
        routes: [{ path: '/*', upstream: 'users', mirror: 'copy' }],
      },
    })
    await fetch(`${url}/`, { headers: given })
    const [server] = (await receiver.tree(2)) as [ReceivedSpan]
    await until('the copy', () => mirror.seen.length === 1)
    assert.equal(parentOf(mirror.seen[0]?.headers['traceparent'])[2], server.spanId)
  })
})

describe('what is recorded', LIMIT, () => {
  it('is what the caller chose, and besides what failed or was slow; targets hear what was chosen first', async (t) => {
    const receiver = await startReceiver(t)
    const target = await startTarget(t, (seen, response) => {
      if (seen.url === '/users/bad') response.statusCode = 500
      setTimeout(() => response.end('ok'), seen.url === '/users/slow' ? 950 : 0)
    })
    const { url } = await traced(t, receiver, [target.origin], {
      tracing: { sample: { ratio: 0, slowerThan: '900ms' } },
      upstream: { failover: { retries: 0, hedge: false } },
    })
    const get = (path: string, flags?: string) =>
      fetch(`${url}/users/${path}`, {
        headers: flags === undefined ? {} : { traceparent: `00-${TRACE}-${SPAN}-${flags}` },
      }).then((response) => response.text())
    await get('unchosen')
    await get('unchosen', '00')
    await get('chosen', '01')
    await get('bad')
    await get('bad', '00')
    await get('slow')
    const spans = await receiver.tree(8)
    assert.deepEqual(
      spans.filter(({ kind }) => kind === 2).map(({ attributes }) => attributes['url.path']),
      ['/users/chosen', '/users/bad', '/users/bad', '/users/slow'],
    )
    assert.deepEqual(
      target.seen.map(({ headers }) => parentOf(headers['traceparent'])[3]),
      ['02', '00', '01', '02', '00', '02'],
    )
  })

  it('is what an exemplar of metrics names, and no trace that was not recorded', async (t) => {
    const target = await startTarget(t, ({ url }, response) => {
      response.statusCode = url === '/users/bad' ? 500 : 200
      response.end()
    })
    const receiver = await startReceiver(t)
    const admin = await freePort()
    const { app, url } = await traced(t, receiver, [target.origin], {
      tracing: { sample: { ratio: 0 } },
      upstream: { failover: { retries: 0, hedge: false } },
      config: {
        admin: { port: admin },
        routes: [
          { path: '/users/bad', name: 'bad', upstream: 'users' },
          { path: '/users/*', name: 'good', upstream: 'users' },
        ],
      },
    })
    for (const path of ['/users/bad', '/users/1']) await (await fetch(url + path)).text()
    const [span] = await receiver.tree(2)
    await until('both are counted', () => app.measures.route('good').requests === 1)
    const headers = { accept: 'application/openmetrics-text' }
    const page = await (await fetch(`http://127.0.0.1:${admin}/metrics`, { headers })).text()
    const exemplar = (route: string) =>
      new RegExp(`duration_seconds_bucket\\{route="${route}".* # \\{(\\w+)="(\\w+)`).exec(page)?.slice(1)
    assert.deepEqual(exemplar('bad'), ['trace_id', span?.traceId])
    assert.equal(exemplar('good')?.[0], 'request_id')
  })

  it('without an endpoint is nothing, but ids are passed on and logged', async (t) => {
    const target = await startTarget(t)
    const { url, lines, app } = await traced(t, undefined, [target.origin])
    await fetch(`${url}/users/1`)
    await until('the access line', () => lines.some(({ msg }) => msg === 'request'))
    const [, traceId] = parentOf(target.seen[0]?.headers['traceparent'])
    assert.equal(lines.find(({ msg }) => msg === 'request')?.['traceId'], traceId)
    assert.ok(app.upstreams.collectors.every(({ name }) => !name.startsWith('trace_')))
  })

  it('is nothing at all without the key: what a client sends passes as it is', async (t) => {
    const target = await startTarget(t)
    const ids: unknown[] = []
    const { app, url } = await startGateway(
      {
        upstreams: { u: { targets: [{ origin: target.origin }] } },
        routes: [{ path: '/*', upstream: 'u' }],
      } as object,
      {
        use: async (fastify) =>
          void fastify.addHook('onRequest', async (request) => void ids.push(request.traceId)),
      },
    )
    t.after(() => void app.close())
    await fetch(url, { headers: { traceparent: 'whatever', tracestate: '=' } })
    await fetch(url)
    assert.deepEqual(
      target.seen.map(({ headers }) => [headers['traceparent'], headers['tracestate']]),
      [
        ['whatever', '='],
        [undefined, undefined],
      ],
    )
    assert.deepEqual(ids, [null, null])
  })
})

describe('a collector', LIMIT, () => {
  it('that is down costs nobody anything; back again, it is sent what was kept', async (t) => {
    const target = await startTarget(t)
    const first = await startReceiver(t)
    const { url, lines, count } = await traced(t, first, [target.origin])
    await fetch(`${url}/users/1`)
    await first.tree(2)
    await first.close()
    for (let i = 0; i < 20; i++) assert.equal((await fetch(`${url}/users/${i}`)).status, 200)
    const said = (what: string) => lines.filter(({ msg }) => String(msg).startsWith(what))
    await until('a line that says so', () => said('spans cannot be exported').length === 1)
    assert.match(String(said('spans cannot')[0]?.['why']), /ECONN/)
    const second = await startReceiver(t, first.port)
    assert.equal((await second.tree(40)).length, 40)
    await until('a line that it is over', () => said('spans are exported again').length === 1)
    assert.equal(said('spans cannot be exported').length, 1)
    await until('it is counted', () => count('trace_spans_exported_total') === 42)
    assert.deepEqual([count('trace_spans_dropped_total'), count('trace_spans_waiting')], [0, 0])
  })

  it('that is slow, refuses or wants only some of it is dealt with; what does not fit is counted', async (t) => {
    const target = await startTarget(t)
    const receiver = await startReceiver(t)
    const { url, count } = await traced(t, receiver, [target.origin], {
      tracing: {
        queue: 4,
        timeout: '100ms',
        compression: 'none',
        endpoint: `${receiver.endpoint}/custom/path`,
      },
    })
    const [exported, dropped] = ['trace_spans_exported_total', 'trace_spans_dropped_total'] as const
    receiver.answers.push((response) => void response.writeHead(400).end('no'))
    await fetch(`${url}/users/1`)
    await until('it was refused', () => count(dropped) === 2)
    receiver.answers.push((response) =>
      response.writeHead(200).end('{"partialSuccess":{"rejectedSpans":"1"}}'),
    )
    await fetch(`${url}/users/2`)
    await until('one was not wanted', () => count(dropped) === 3 && count(exported) === 1)
    receiver.answers.push(() => {})
    await fetch(`${url}/users/3`)
    await until('it is being sent, and is not answered', () => receiver.answers.length === 0)
    for (let i = 0; i < 5; i++) await fetch(`${url}/users/${i}`)
    assert.equal(count(dropped), 3 + 6)
    assert.equal((await receiver.tree(6)).length, 6)
    assert.equal(receiver.requests[0]?.headers['content-encoding'], undefined)
    // The collector has them before its answer is here.
    await until('they are counted', () => count(exported) >= 7)
    assert.equal(count(exported), 7)
  })

  it('gets what is left when the gateway stops', async (t) => {
    const target = await startTarget(t, (_seen, response) => void setTimeout(() => response.end('ok'), 50))
    const receiver = await startReceiver(t)
    const { app, url } = await traced(t, receiver, [target.origin], { tracing: { interval: '1m' } })
    const last = fetch(`${url}/users/1`).then((response) => response.text())
    await until('it is under way', () => target.seen.length === 1)
    await app.close()
    assert.equal(await last, 'ok')
    assert.equal(receiver.spans.length, 2)
  })
})

test('what is wrong with the key is said with its remedy', async () => {
  const { problems } = await readGateway(
    {
      tracing: {
        endpoint: 'collector:4318',
        headers: { 'Content-Type': 'x' },
        attributes: { 'service.name': 'x' },
        sample: 2,
        trust: 'peers',
      },
      upstreams: {},
      routes: [],
    },
    'test.config.ts',
  )
  const said = problems.map(({ path, message }) => `${path} ${message}`).join('\n')
  for (const part of [
    /tracing\.endpoint .*no http or https URL; write "http:/,
    /tracing\.headers\["Content-Type"\] is said by the exporter/,
    /tracing\.attributes\["service\.name"\] .*serviceName/,
    /tracing\.sample/,
    /tracing\.trust/,
  ])
    assert.match(said, part)
  const lonely = await readGateway(
    { tracing: { headers: { a: 'b' } }, upstreams: {}, routes: [] },
    'test.config.ts',
  )
  assert.match(lonely.problems[0]?.message ?? '', /sent to nobody/)
})
