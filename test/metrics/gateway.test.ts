import assert from 'node:assert/strict'
import http from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import Fastify, { type FastifyInstance } from 'fastify'
import type { ConfigError } from '../../plugins/config/errors.ts'
import { SlicedAnswers } from '../../plugins/metrics/endpoints.ts'
import type { Stats } from '../../plugins/metrics/stats.ts'
import { createAuthority } from '../support/certificates.ts'
import { readGateway } from '../support/config.ts'
import { buildGateway, startGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask, eventually, rawClient } from '../transport/support.ts'
import { samplesOf } from './support.ts'

type Config = Parameters<typeof startGateway>[0]

async function gatewayOf(t: TestContext, config: object, use?: (app: FastifyInstance) => Promise<void>) {
  const admin = await freePort()
  const whole = { admin: { port: admin }, ...config } as Config
  const gateway = await startGateway(whole, use === undefined ? {} : { use })
  t.after(() => {
    gateway.app.server.closeAllConnections()
    gateway.app.admin?.server.closeAllConnections()
    void gateway.app.close()
  })
  const page = async (accept?: string): Promise<string> =>
    (await ask(admin, { url: '/metrics', headers: accept === undefined ? {} : { accept } })).body.toString()
  return {
    ...gateway,
    admin,
    page,
    samples: async () => samplesOf(await page()),
    /** Waits until a sample has this value: a request is counted when its connection is done with the answer. */
    becomes: (series: string, value: number) =>
      until(`${series} ${value}`, async () => samplesOf(await page()).get(series) === value, 5000),
  }
}

const simple = (origin: string, more: object = {}) => ({
  upstreams: { main: { targets: [{ origin }], failover: { hedge: false }, ...more } },
  routes: [
    { path: '/a/*', name: 'a', upstream: 'main', upgrade: ['websocket'] },
    { path: '/old', name: 'old', redirect: '/new' },
  ],
})

describe('a request is counted', () => {
  it('with the gateway’s own share of its time, which the silence of a target is none of', async (t) => {
    const { origin } = await startTarget(t, (_seen, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      setTimeout(() => response.end('data: 2\n\n'), 300)
    })
    const gateway = await gatewayOf(t, simple(origin))
    await ask(gateway.port, { url: '/a/1' })
    await gateway.becomes('holdfast_gateway_duration_seconds_count{route="a"}', 1)
    const samples = await gateway.samples()
    const whole = samples.get('holdfast_request_duration_seconds_sum{route="a"}') as number
    const own = samples.get('holdfast_gateway_duration_seconds_sum{route="a"}') as number
    assert.ok(whole - own >= 0.1, `${own} s of ${whole} s`)
  })

  it('by its route and what came of it, with its bytes; also where no route of the config took it', async (t) => {
    const { origin } = await startTarget(t, (seen, response) => {
      response.statusCode = seen.url.endsWith('/gone') ? 404 : 200
      response.end('x'.repeat(5000))
    })
    const gateway = await gatewayOf(t, simple(origin))
    const agent = new http.Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    for (const url of ['/a/1', '/a/2', '/a/gone', '/old', '/nothing', '/a%00b', '/livez'])
      await ask(gateway.port, { url, agent })
    await ask(gateway.port, { url: '/a/3', method: 'POST', body: 'y'.repeat(3000), agent })
    await gateway.becomes('holdfast_requests_total{route="a",result="2xx"}', 3)
    const samples = await gateway.samples()
    const of = (route: string, result: string) =>
      samples.get(`holdfast_requests_total{route="${route}",result="${result}"}`)
    assert.equal(of('a', '4xx'), 1)
    assert.equal(of('old', '3xx'), 1)
    assert.equal(of('none', '4xx'), 2)
    assert.equal(of('local', '2xx'), 1)
    assert.equal(samples.get('holdfast_errors_total{route="none",code="GTW_NO_ROUTE"}'), 1)
    assert.equal(samples.get('holdfast_errors_total{route="none",code="GTW_BAD_REQUEST"}'), 1)
    const received = samples.get('holdfast_request_bytes_total{route="a"}') as number
    assert.ok(received > 3000 + 4 * 30 && received < 4000, `${received} bytes: four heads and a body`)
    const sent = samples.get('holdfast_response_bytes_total{route="a"}') as number
    assert.ok(sent > 20_000 && sent < 22_000, `${sent} bytes`)
    assert.equal(samples.get('holdfast_request_duration_seconds_count{route="a"}'), 4)
    assert.equal(samples.get('holdfast_gateway_duration_seconds_count{route="a"}'), 4)
    assert.equal(samples.get('holdfast_upstream_attempts_total{upstream="main",result="2xx"}'), 3)
    assert.equal(
      samples.get(`holdfast_target_attempts_total{upstream="main",target="${origin}",result="4xx"}`),
      1,
    )
    assert.equal(gateway.app.measures.route('a').requests, 4)
    assert.equal(gateway.app.measures.total().errors, 0)
  })

  it('as aborted when the client leaves, as cut when the target breaks off, as 5xx when there is none', async (t) => {
    const { origin } = await startTarget(t, (seen, response) => {
      if (seen.url.endsWith('/slow')) return
      response.setHeader('content-length', 1_000_000)
      response.write('x'.repeat(200_000), () => response.socket?.destroy())
    })
    const dead = await deadOrigin()
    const { routes, upstreams } = simple(origin)
    const gateway = await gatewayOf(t, {
      upstreams: { ...upstreams, dead: { targets: [{ origin: dead }] } },
      routes: [...routes, { path: '/dead', name: 'dead', upstream: 'dead' }],
    })
    const client = connect(gateway.port, '127.0.0.1')
    client.write('GET /a/slow HTTP/1.1\r\nhost: a\r\n\r\n')
    await eventually(() => gateway.app.upstreams.upstream('main').targets[0]?.inflight === 1, 'under way')
    client.destroy()
    await gateway.becomes('holdfast_requests_total{route="a",result="aborted"}', 1)
    assert.equal((await ask(gateway.port, { url: '/a/cut' })).complete, false)
    await gateway.becomes('holdfast_requests_total{route="a",result="cut"}', 1)
    await ask(gateway.port, { url: '/dead' })
    await gateway.becomes('holdfast_requests_total{route="dead",result="5xx"}', 1)
    const samples = await gateway.samples()
    assert.equal(samples.get('holdfast_errors_total{route="dead",code="GTW_UPSTREAM_UNREACHABLE"}'), 1)
    assert.ok((samples.get('holdfast_upstream_attempts_total{upstream="dead",result="connect"}') ?? 0) >= 1)
    assert.equal(samples.get('holdfast_upstream_attempts_total{upstream="main",result="abandoned"}'), 1)
    assert.equal(samples.get('holdfast_upstream_attempts_total{upstream="main",result="reset"}'), 1)
    assert.equal(gateway.app.measures.route('a').errors, 1, 'a client that leaves is no error')
  })

  it('with all its attempts, by why they were made', async (t) => {
    const failing = await startTarget(t, (_seen, response) => {
      response.statusCode = 503
      response.end()
    })
    const well = await startTarget(t)
    const gateway = await gatewayOf(t, {
      upstreams: {
        main: {
          targets: [{ origin: failing.origin }, { origin: well.origin, tier: 1 }],
          outlierDetection: false,
          failover: { hedge: false },
        },
      },
      routes: [{ path: '/*', upstream: 'main' }],
    })
    assert.equal((await ask(gateway.port, {})).status, 200)
    await gateway.becomes('holdfast_upstream_attempt_kinds_total{upstream="main",kind="retry"}', 1)
    const samples = await gateway.samples()
    assert.equal(samples.get('holdfast_upstream_attempt_kinds_total{upstream="main",kind="first"}'), 1)
    assert.equal(samples.get('holdfast_upstream_tier_in_use{upstream="main",tier="0"}'), 1)
    assert.equal(samples.get('holdfast_upstream_tier_in_use{upstream="main",tier="1"}'), 0)
    assert.equal(samples.get('holdfast_retry_budget_refusals_total{upstream="main",budget="retries"}'), 0)
    // Whole ones of ten a second for ten seconds, and a fifth of a request; one was spent.
    assert.equal(samples.get('holdfast_retry_budget_left{upstream="main",budget="retries"}'), 99)
  })

  it('and so is a tunnel while it is open', async (t) => {
    const upgraded: Socket[] = []
    // Before the target, which waits for them when it is closed.
    t.after(() => {
      for (const socket of upgraded) socket.destroy()
    })
    const { server, origin } = await startTarget(t)
    server.on('upgrade', (_request, socket: Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
      socket.on('end', () => socket.end()).resume()
      upgraded.push(socket)
    })
    const gateway = await gatewayOf(t, simple(origin))
    const client = rawClient(t, gateway.port)
    client.socket.write('GET /a/ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    await client.until('101 Switching')
    await gateway.becomes('holdfast_tunnels_open', 1)
    assert.equal((await gateway.samples()).get('holdfast_connections_open{listener="main"}'), 1)
    client.socket.end()
    await gateway.becomes('holdfast_tunnels_open', 0)
    await gateway.becomes('holdfast_connections_open{listener="main"}', 0)
    await gateway.becomes('holdfast_requests_total{route="a",result="1xx"}', 1)
    const samples = await gateway.samples()
    assert.equal(samples.get('holdfast_tunnels_total'), 1)
    // How long it was open is not how long a request took.
    assert.equal(samples.get('holdfast_request_duration_seconds_count{route="a"}'), 0)
  })
})

describe('the page', () => {
  it('is packed if asked for, is OpenMetrics if asked for, and only that names requests', async (t) => {
    const { origin } = await startTarget(t)
    const gateway = await gatewayOf(t, simple(origin))
    const { headers } = await ask(gateway.port, { url: '/a/1' })
    await gateway.becomes('holdfast_requests_total{route="a",result="2xx"}', 1)
    const packed = await ask(gateway.admin, { url: '/metrics', headers: { 'accept-encoding': 'gzip' } })
    assert.equal(packed.headers['content-encoding'], 'gzip')
    assert.equal(packed.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(
      samplesOf(gunzipSync(packed.body).toString()).get('holdfast_requests_total{route="a",result="2xx"}'),
      1,
    )
    const openMetrics = await ask(gateway.admin, {
      url: '/metrics',
      headers: { accept: 'application/openmetrics-text' },
    })
    assert.equal(
      openMetrics.headers['content-type'],
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    )
    const id = headers['x-request-id'] as string
    const exemplar = new RegExp(` # \\{request_id="${id}"\\} \\S+ (\\S+)`)
    const timeOf = (page: string) => Number(exemplar.exec(page)?.[1])
    const [now, time] = [Date.now() / 1000, timeOf(openMetrics.body.toString())]
    assert.ok(Math.abs(now - time) < 60)
    // Both clocks are read one after the other, and one of them by whole milliseconds: each page had it elsewhere.
    t.mock.method(Date, 'now', () => now * 1000 + 900)
    assert.equal(timeOf(await gateway.page('application/openmetrics-text')), time, 'an exemplar wobbles')
    t.mock.restoreAll()
    // Prometheus takes no exemplar from the future: a clock that was set back takes the exemplars with it.
    t.mock.method(Date, 'now', () => (now - 86_400) * 1000)
    const later = timeOf(await gateway.page('application/openmetrics-text'))
    t.mock.restoreAll()
    assert.ok(Math.abs(time - later - 86_400) < 60)
    assert.ok(openMetrics.body.toString().endsWith('# EOF\n'))
    assert.ok(!(await gateway.page()).includes(id))
  })

  it('has the routes as soon as somebody asks, in a hook that comes before its own too', async (t) => {
    const early = await buildGateway(
      { upstreams: {}, routes: [{ path: '/r', redirect: '/s' }] },
      {
        use: async (gateway) => {
          const threshold = 123
          gateway.measures.threshold(threshold)
          assert.equal(gateway.measures.route('/r').slowerThan(threshold), 0)
          assert.throws(() => gateway.measures.route('/q'), RangeError)
        },
      },
    )
    t.after(() => early.close())
    await early.ready()
    await early.inject('/r')
    await eventually(() => early.measures.route('/r').requests === 1, 'a request is counted')
  })

  it('is there with the admin listener only; without one requests are counted all the same', async (t) => {
    const { origin } = await startTarget(t)
    const gateway = await startGateway(simple(origin) as Config)
    t.after(() => void gateway.app.close())
    assert.equal((await ask(gateway.port, { url: '/metrics' })).status, 404)
    await ask(gateway.port, { url: '/a/1' })
    await eventually(() => gateway.app.measures.route('a').requests === 1, 'a request is counted')
  })

  it('says when certificates end', async (t) => {
    const authority = createAuthority()
    const { cert, key } = authority.issue('localhost', { days: 3 })
    const app = await buildGateway({
      admin: { port: await freePort() },
      server: { tls: { cert, key } },
      upstreams: { main: { targets: [{ origin: 'https://127.0.0.1:1' }], tls: { cert, key } } },
      routes: [{ path: '/*', upstream: 'main' }],
    })
    t.after(() => app.close())
    await app.ready()
    const samples = samplesOf(
      (await app.admin!.inject({ url: '/metrics', headers: { host: 'localhost' } })).body,
    )
    for (const place of ['server.tls', 'upstreams.main.tls']) {
      const end = samples.get(`holdfast_certificate_expiry_timestamp_seconds{place="${place}"}`) as number
      assert.ok(Math.abs(end - Date.now() / 1000 - 3 * 86_400) < 3600, `${place}: ${end}`)
    }
  })

  it('a collector that could never be shown fails the start, with the remedy', async (t) => {
    const app = await buildGateway(
      { upstreams: {}, routes: [] },
      {
        use: async (fastify) =>
          fastify.upstreams.measure({ name: 'Bad-Name', help: '', type: 'gauge', labels: [], collect() {} }),
      },
    )
    await assert.rejects(
      async () => app.ready(),
      /"Bad-Name" is no name of a metric; write it like "retries_total"/,
    )
    await app.close()
    for (const name of ['queue_total', 'requests', 'upstream_targets'])
      await t.test(`so does \`${name}\` beside a metric that is the same one in OpenMetrics`, async () => {
        const twice = await buildGateway(
          { upstreams: {}, routes: [] },
          {
            use: async ({ upstreams }) => {
              const about = { help: '', labels: [], collect() {} }
              upstreams.measure({ ...about, name: 'queue', type: 'gauge' })
              upstreams.measure({ ...about, name, type: name.endsWith('_total') ? 'counter' : 'gauge' })
            },
          },
        )
        await assert.rejects(
          async () => twice.ready(),
          new RegExp(`"holdfast_${name}" .*there already.*OpenMetrics.*take another name`),
        )
        await twice.close()
      })
  })
})

describe('what other concerns count', () => {
  it('is on the page: breakers, limits, checks, pools', async (t) => {
    const { origin } = await startTarget(t, (_seen, response) => {
      response.statusCode = 500
      response.end()
    })
    const gateway = await gatewayOf(t, {
      upstreams: {
        broken: {
          targets: [{ origin }],
          circuitBreaker: { consecutive: 1, openFor: '1m' },
          adaptiveConcurrency: { min: 4, initial: 7 },
          outlierDetection: false,
          failover: { hedge: false },
        },
        sick: { targets: [{ origin }], healthCheck: { path: '/', interval: '50ms' } },
      },
      routes: [{ path: '/*', name: 'a', upstream: 'broken' }],
    })
    const of = (name: string, upstream: string, more = '') =>
      `holdfast_${name}{upstream="${upstream}",target="${origin}"${more}}`
    assert.equal((await gateway.samples()).get(of('circuit_breaker_open', 'broken')), 0)
    await ask(gateway.port, {})
    await gateway.becomes(of('circuit_breaker_open', 'broken'), 1)
    await gateway.becomes('holdfast_upstream_events_total{upstream="broken",event="breaker-opened"}', 1)
    await gateway.becomes('holdfast_upstream_events_total{upstream="sick",event="unhealthy"}', 1)
    const samples = await gateway.samples()
    assert.equal(samples.get(of('circuit_breaker_half_open', 'broken')), 0)
    assert.equal(samples.get('holdfast_upstream_eligible_targets{upstream="broken"}'), 0)
    assert.equal(samples.get(of('target_eligible', 'broken')), 0)
    assert.equal(samples.get(of('concurrency_limit', 'broken')), 7, 'the limit until something is learnt')
    assert.equal(samples.get(of('concurrency_min_rtt_seconds', 'broken')), 0)
    assert.equal(samples.get(of('health_check_healthy', 'sick')), 0)
    assert.ok((samples.get(of('health_checks_total', 'sick', ',result="failed"')) ?? 0) >= 1)
    assert.equal(samples.get(of('health_checks_total', 'sick', ',result="passed"')), 0)
    assert.ok((samples.get(of('health_check_duration_seconds', 'sick')) ?? 0) > 0)
    assert.equal(samples.get(of('pool_connections', 'broken')), 1)
    assert.equal(samples.get(of('pool_idle_connections', 'broken')), 1)
    assert.equal(samples.get(of('pool_queued_requests', 'broken')), 0)
    assert.equal(samples.get('holdfast_body_memory_bytes'), 0)
  })
})

describe('the statistics', () => {
  it('are JSON of routes, upstreams and targets', async (t) => {
    const { origin } = await startTarget(t)
    const gateway = await gatewayOf(t, simple(origin))
    for (let i = 0; i < 5; i++) await ask(gateway.port, { url: '/a/1' })
    await gateway.becomes('holdfast_requests_total{route="a",result="2xx"}', 5)
    const { headers, body } = await ask(gateway.admin, { url: '/stats' })
    assert.equal(headers['content-type'], 'application/json; charset=utf-8')
    const { routes, upstreams, total, gateway: facts } = JSON.parse(body.toString()) as Stats
    assert.deepEqual(
      routes.map(({ name }) => name),
      ['a', 'old', 'none', 'local'],
    )
    assert.equal(routes[0]?.windows['1m'].count, 5)
    assert.ok((routes[0]?.windows['1m'].p99Ms ?? 0) > 0)
    assert.equal(total.requests, 5)
    assert.equal(upstreams[0]?.targets[0]?.target, origin)
    assert.equal(upstreams[0]?.targets[0]?.windows?.['1m'].count, 5)
    assert.ok('eventLoop' in facts)
  })
})

describe('the config', () => {
  it('that cannot be followed is refused, with the remedy', async () => {
    const { problems } = await readGateway(
      {
        metrics: { buckets: [], perTarget: 'gauges' },
        upstreams: {},
        routes: [],
      },
      'test.config.ts',
    )
    assert.deepEqual(problems, [
      { path: 'metrics.buckets', message: 'needs at least one bound' },
      {
        path: 'metrics.perTarget',
        message: '"gauges" is neither "counters" nor "histograms"; write one of the two, or false',
      },
    ])
    const more = await readGateway(
      {
        metrics: { buckets: Array.from({ length: 51 }, (_, i) => i + 1) },
        upstreams: {},
        routes: [{ path: '/', name: 'local', redirect: '/a' }],
      },
      'test.config.ts',
    )
    assert.deepEqual(more.problems, [
      { path: 'metrics.buckets', message: 'has 51 bounds; take at most 50' },
      {
        path: 'routes[0].name',
        message: '"local" stands in metrics for requests that no route took; take another name',
      },
    ])
  })

  it('with more limits of alert rules than histograms have buckets is refused as a config, not with a stack', async () => {
    const rules = Array.from({ length: 36 }, (_, i) => ({
      name: `rule ${i}`,
      latency: { above: 101 + i },
      over: '1m',
    }))
    const gateway = buildGateway({ upstreams: {}, routes: [], alerts: { rules } } as object)
    await assert.rejects(gateway, (error: ConfigError) => {
      assert.equal(error.code, 'GTW_CONFIG')
      assert.deepEqual(
        error.problems.map(({ path }) => path),
        ['alerts.rules'],
      )
      assert.match(
        String(error.problems[0]?.message),
        /^the threshold of 136 ms is one too many: .*; give alert rules/,
      )
      return true
    })
  })

  it('may leave targets out; its buckets are those of the page', async (t) => {
    const { origin } = await startTarget(t)
    const gateway = await gatewayOf(t, {
      metrics: { perTarget: false, buckets: ['1s', '20ms'], exemplars: false },
      ...simple(origin),
    })
    await ask(gateway.port, { url: '/a/1' })
    await gateway.becomes('holdfast_requests_total{route="a",result="2xx"}', 1)
    const page = await gateway.page('application/openmetrics-text')
    assert.ok(!page.includes('holdfast_target_'))
    assert.ok(!page.includes(' # {'))
    const bounds = page.matchAll(/^holdfast_request_duration_seconds_bucket\{route="a",le="(.*?)"/gm)
    assert.deepEqual(
      Array.from(bounds, ([, le]) => le),
      ['0.02', '1.0', '+Inf'],
    )
    const { body } = await ask(gateway.admin, { url: '/stats' })
    const stats = JSON.parse(body.toString()) as Stats
    assert.equal(stats.upstreams[0]?.targets[0]?.windows, null)
    assert.equal(stats.upstreams[0]?.windows['1m'].count, 1)
  })
})

describe('many targets, and those who read slowly', () => {
  it('a page is made no faster than it is read, others are served meanwhile, and there is an end to readers', async (t) => {
    const { origin } = await startTarget(t)
    const targets = Array.from({ length: 10_000 }, (_, i) => ({
      origin: `http://10.1.${i >> 8}.${i & 255}:80`,
    }))
    const gateway = await gatewayOf(t, {
      metrics: { perTarget: 'histograms' },
      upstreams: { main: { targets: [{ origin }] }, many: { targets } },
      routes: [{ path: '/a', name: 'a', upstream: 'main' }],
    })
    const sockets: Socket[] = []
    gateway.app.admin!.server.on('connection', (socket: Socket) => sockets.push(socket))
    const slow = (): Socket => {
      const socket = connect(gateway.admin, '127.0.0.1')
      t.after(() => socket.destroy())
      // A socket that nobody listens to is not read.
      socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n')
      return socket
    }
    const readers = [slow(), slow(), slow()]
    await eventually(() => sockets.length === 3, 'three readers')
    // Stalled: what the kernel takes is full, and nothing more is made.
    let before = -1
    await until(
      'three stalled readers',
      () => {
        const written = sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
        const stalled = written === before && sockets.every(({ writableLength }) => writableLength > 0)
        before = written
        return stalled
      },
      20_000,
    )
    for (const { writableLength } of sockets)
      assert.ok(writableLength < 500_000, `${writableLength} bytes held`)

    const whole = await ask(gateway.admin, { url: '/metrics' })
    assert.ok(whole.complete)
    assert.ok(whole.body.length > 20_000_000, `${whole.body.length} bytes`)
    for (const socket of sockets.slice(0, 3))
      assert.ok(
        socket.bytesWritten < whole.body.length,
        'all of the page was made for a reader that reads nothing',
      )
    assert.equal((await ask(gateway.port, { url: '/a' })).status, 200)

    readers.push(slow())
    await eventually(() => sockets.length === 5, 'a fourth reader')
    await until('one too many', async () => (await ask(gateway.admin, { url: '/metrics' })).status === 503)
    const stats = await ask(gateway.admin, { url: '/stats' })
    assert.equal(stats.status, 503)
    assert.equal(stats.headers['retry-after'], '1')

    for (const reader of readers) reader.destroy()
    await until('room again', async () => (await ask(gateway.admin, { url: '/stats' })).status === 200)
    const both = await Promise.all([0, 1].map(() => ask(gateway.admin, { url: '/metrics' })))
    for (const { complete, status } of both) assert.ok(complete && status === 200, 'two at once')
  })

  it('one that has not taken all in time is cut off, and nothing more is made for it', async (t) => {
    const answers = new SlicedAnswers(300)
    let ended = false
    function* endless() {
      try {
        for (;;) yield 'x'.repeat(20_000)
      } finally {
        ended = true
      }
    }
    const app = Fastify()
    t.after(() => app.close())
    app.get('/', (request, reply) => answers.send(request, reply, 'text/plain', endless))
    const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
    for (const headers of [{}, { 'accept-encoding': 'gzip' }]) {
      ended = false
      const { complete, status } = await ask(Number(url.port), { headers })
      assert.equal(status, 200)
      assert.equal(complete, false)
      await eventually(() => ended, 'the end of the pages')
    }
  })
})
