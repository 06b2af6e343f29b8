/** What the page says: the other books agree with it, Prometheus reads it, docs/metrics.md describes it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Stats } from '../../plugins/metrics/stats.ts'
import { GatewayError } from '../../plugins/upstreams/errors.ts'
import { startGateway } from '../support/gateway.ts'
import { scraping, startPrometheus } from '../support/monitoring.ts'
import { freePort } from '../support/ports.ts'
import { ROOT } from '../support/process.ts'
import { type Answer, deadOrigin, startTarget } from '../support/target.ts'
import { needs } from '../support/tools.ts'
import { until } from '../support/until.ts'
import { startReceiver } from '../tracing/support.ts'
import { ask, eventually } from '../transport/support.ts'
import { samplesOf } from './support.ts'

const BIG = 400_000

const answer: Answer = ({ url }, response) => {
  const [, kind = ''] = url.split('/').slice(1)
  const status = Number(kind)
  if (status > 0) {
    response.statusCode = status
    response.end(status === 304 ? undefined : `status ${status}`)
  } else if (kind === 'hang') return
  else if (kind === 'half' || kind === 'cut') {
    response.setHeader('content-length', BIG)
    response.write('x'.repeat(BIG / 2), () => kind === 'cut' && response.socket?.destroy())
  } else if (kind.startsWith('events')) {
    response.setHeader('content-type', 'text/event-stream')
    response.write('data: 1\n\n')
    if (kind === 'events') setTimeout(() => response.end(), 5)
    if (kind === 'events-cut') setTimeout(() => response.socket?.destroy(), 5)
  } else if (kind === 'pieces') {
    response.write('one')
    setTimeout(() => response.end('two'), 60)
  } else if (kind === 'slow') setTimeout(() => response.end('slow'), 300)
  else response.end('x'.repeat(500))
}

type Sums = Record<string, number>
const add = (sums: Sums, key: string, by = 1): void => {
  sums[key] = (sums[key] ?? 0) + by
}
const resultOf = (status: number | undefined, aborted: unknown, broken: unknown): string =>
  broken ? 'cut' : aborted ? 'aborted' : status === undefined ? 'none' : `${Math.floor(status / 100)}xx`

async function gatewayOf(t: TestContext, server: object) {
  const tunnels: Socket[] = []
  // Before the target, which waits for them when it is closed.
  t.after(() => {
    for (const socket of tunnels) socket.destroy()
  })
  const collector = await startReceiver(t)
  const target = await startTarget(t, answer)
  const fast = await startTarget(t)
  target.server.on('upgrade', (request, socket: Socket) => {
    tunnels.push(socket)
    socket.on('error', () => {})
    if (request.url?.endsWith('/hang')) return
    if (request.url?.endsWith('/no')) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno')
      return
    }
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    socket.on('end', () => socket.end()).resume()
  })
  const admin = await freePort()
  const lines: Record<string, never>[] = []
  const plain = { failover: { hedge: false, retries: 1 }, outlierDetection: false, proofOfLife: false }
  const to = (...origins: string[]) => ({ targets: origins.map((origin) => ({ origin })), ...plain })
  const gateway = await startGateway(
    {
      server,
      admin: { port: admin },
      tracing: { endpoint: collector.endpoint, interval: '10ms' },
      upstreams: {
        main: to(target.origin),
        pair: to(target.origin, fast.origin),
        hedged: {
          ...to(target.origin, fast.origin),
          failover: { hedge: { after: '20ms', atLeast: 0, maxExtra: 1 } },
        },
        copy: to(fast.origin),
        dead: to(await deadOrigin()),
      },
      routes: [
        { path: '/a/*', name: 'a', upstream: 'main', upgrade: ['websocket'] },
        { path: '/exact/*', name: 'exact', upstream: 'main' },
        { path: '/pair/*', name: 'pair', upstream: 'pair' },
        { path: '/hedged/*', name: 'hedged', upstream: 'hedged' },
        { path: '/copied/*', name: 'copied', upstream: 'main', mirror: 'copy' },
        { path: '/dead/*', name: 'dead', upstream: 'dead', upgrade: ['websocket'] },
        { path: '/brief/*', name: 'brief', upstream: 'main', timeout: '50ms' },
        { path: '/walled', name: 'walled', upstream: 'main' },
        { path: '/crash', name: 'crash', upstream: 'main' },
        { path: '/old', name: 'old', redirect: '/new' },
      ],
    } as object,
    {
      log: (line) => {
        const parsed = JSON.parse(line)
        if (parsed.msg === 'request') lines.push(parsed)
      },
      use: async (app) => {
        app.upstreams.defineBalancer('in-order', () => ({ pick: (candidates) => candidates[0] }))
        for (const name of ['pair', 'hedged']) app.upstreams.balance(name, 'in-order', {})
        app.addHook('preHandler', async (request) => {
          const about = { code: 'FST_REPLY_FROM_BAD_GATEWAY', statusCode: 502 }
          if (request.url === '/crash') throw Object.assign(new Error('the inside'), about)
        })
        app.addGuard({
          name: 'wall',
          stage: 'authenticate',
          forRoute: ({ name }) =>
            name !== 'walled'
              ? undefined
              : () => {
                  throw new GatewayError('GTW_UNAUTHENTICATED', 401, 'client', 'Who are you?')
                },
        })
      },
    },
  )
  t.after(() => {
    gateway.app.server.closeAllConnections()
    gateway.app.admin?.server.closeAllConnections()
    void gateway.app.close()
  })
  return { ...gateway, admin, lines, collector, target }
}

type House = Awaited<ReturnType<typeof gatewayOf>>

/** Whatever is written here is what each of the gateway's books has to say. */
class Ledger {
  readonly requests: Sums = {}
  readonly codes: Sums = {}
  sent = 0
  received = 0
  took(route: string, result: string, code?: string, times = 1): void {
    add(this.requests, `${route} ${result}`, times)
    if (code !== undefined) add(this.codes, `${route} ${code}`, times)
  }
}

const head = (url: string, more = '', method = 'GET') => `${method} ${url} HTTP/1.1\r\nhost: a\r\n${more}\r\n`

/** Bytes to the gateway on a connection of their own; leaves when what it got has `end` in it, or is over. */
async function raw(house: House, bytes: string | string[], end?: string | (() => boolean)) {
  await until('what was before is over', () => inflight(house) === 0)
  const socket = connect(house.port, '127.0.0.1')
  let received = ''
  socket.on('error', () => {}).on('data', (chunk) => (received += chunk.toString('latin1')))
  const closed = once(socket, 'close')
  for (const piece of [bytes].flat()) {
    socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  if (end !== undefined) {
    await until(`${bytes}: ${end}`, async () => (typeof end === 'string' ? received.includes(end) : end()))
    socket.destroy()
  }
  await closed
  return { received, socket }
}

const inflight = (house: House): number => {
  let sum = 0
  for (const { targets } of house.app.upstreams.upstreams.values())
    for (const one of targets) sum += one.inflight
  return sum
}
const busy = (house: House) => () => inflight(house) > 0

async function http1(house: House, ledger: Ledger): Promise<void> {
  const keep = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const quick = async (route: string, url: string, result: string, code?: string, options: object = {}) => {
    const { status } = await ask(house.port, { url, agent: keep, ...options })
    assert.ok(`${status}`[0] === result[0], `${url}: ${status}`)
    ledger.took(route, result, code)
  }
  for (const status of [200, 204, 301, 304, 404, 500])
    await quick('a', `/a/${status}`, `${Math.floor(status / 100)}xx`)
  await quick('a', '/a/200', '2xx', undefined, { method: 'HEAD' })
  await quick('a', '/a/x', '2xx', undefined, { method: 'POST', body: 'y'.repeat(100_000) })
  await quick('a', '/a/503', '5xx')
  await quick('pair', '/pair/503', '2xx')
  await quick('hedged', '/hedged/slow', '2xx')
  await quick('hedged', '/hedged/x', '2xx')
  await quick('copied', '/copied/x', '2xx')
  await quick('dead', '/dead/x', '5xx', 'GTW_UPSTREAM_UNREACHABLE')
  await quick('brief', '/brief/hang', '5xx', 'GTW_UPSTREAM_TIMEOUT')
  await quick('walled', '/walled', '4xx', 'GTW_UNAUTHENTICATED')
  await quick('crash', '/crash', '5xx', 'GTW_INTERNAL')
  await quick('old', '/old', '3xx')
  await quick('none', '/nothing', '4xx', 'GTW_NO_ROUTE')
  await quick('none', '/a%00b', '4xx', 'GTW_BAD_REQUEST')
  await quick('none', '/a/x', '4xx', 'GTW_METHOD_NOT_ALLOWED', { method: 'PROPFIND' })
  await quick('local', '/livez', '2xx')
  // Without a connection, which would have no bytes to count.
  await house.app.inject('/livez')
  ledger.took('local', '2xx')
  keep.destroy()

  for (const kind of ['cut', 'events-cut']) {
    await ask(house.port, { url: `/a/${kind}` })
    ledger.took('a', 'cut')
  }
  // The client leaves: while it is waited for, in mid-answer, and while it sends.
  await raw(house, head('/a/hang'), busy(house))
  await raw(house, head('/a/half'), 'xxx')
  await raw(house, head('/a/events-on'), 'data')
  ledger.took('a', 'aborted', undefined, 3)
  await raw(house, `${head('/a/x', 'content-length: 1000\r\n', 'POST')}abc`, () => true)
  await raw(house, `${head('/a/hang', 'transfer-encoding: chunked\r\n', 'POST')}3\r\nabc\r\n`, busy(house))
  ledger.took('a', 'aborted', undefined, 2)
  // Upgrades: agreed, refused, to nobody, and left before there was an answer.
  const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\n'
  await raw(house, head('/a/ws', upgrade), '101 Switching')
  ledger.took('a', '1xx')
  await raw(house, head('/a/no', upgrade))
  ledger.took('a', '4xx')
  await raw(house, head('/dead/ws', upgrade))
  ledger.took('dead', '5xx', 'GTW_UPSTREAM_UNREACHABLE')
  await raw(house, head('/a/hang', upgrade), busy(house))
  ledger.took('a', 'aborted')

  // To the byte: on these connections nobody leaves.
  const exact = [
    ['200', '304', '404', 'pieces', '200'].map((kind) => head(`/exact/${kind}`)).join('') +
      head('/exact/x', 'connection: close\r\n'),
    head('/exact/x', 'connection: close\r\n', 'HEAD'),
    head('/exact/events', 'connection: close\r\n'),
    `${head('/exact/x', 'content-length: 5\r\nexpect: 100-continue\r\nconnection: close\r\n', 'POST')}12345`,
  ]
  for (const bytes of exact) {
    const { socket } = await raw(house, bytes)
    ledger.sent += socket.bytesWritten
    ledger.received += socket.bytesRead
  }
  ledger.took('exact', '2xx', undefined, 7)
  ledger.took('exact', '3xx')
  ledger.took('exact', '4xx')
}

async function withHttp2(house: House, ledger: Ledger): Promise<void> {
  const client = http2.connect(house.url)
  const stream = (path: string, more: object = {}) =>
    client
      .request({ ':path': path, ...more })
      .on('error', () => {})
      .resume()
  const quick = async (route: string, path: string, result: string, code?: string, more: object = {}) => {
    await new Promise<void>((resolve) => stream(path, more).on('close', resolve))
    ledger.took(route, result, code)
  }
  for (const status of [200, 304, 404, 500]) await quick('a', `/a/${status}`, `${Math.floor(status / 100)}xx`)
  await quick('a', '/a/x', '2xx', undefined, { ':method': 'HEAD' })
  await quick('a', '/a/pieces', '2xx')
  await quick('a', '/a/events', '2xx')
  await quick('a', '/a/cut', 'cut')
  await quick('a', '/a/events-cut', 'cut')
  await quick('dead', '/dead/x', '5xx', 'GTW_UPSTREAM_UNREACHABLE')
  await quick('walled', '/walled', '4xx', 'GTW_UNAUTHENTICATED')
  await quick('none', '/nothing', '4xx', 'GTW_NO_ROUTE')
  await quick('old', '/old', '3xx')
  // To the byte, bodies only: headers are packed together with those of others.
  for (const [kind, result, method, body] of [
    ['200', '2xx', 'GET', ''],
    ['304', '3xx', 'GET', ''],
    ['pieces', '2xx', 'GET', ''],
    ['events', '2xx', 'GET', ''],
    ['x', '2xx', 'HEAD', ''],
    ['x', '2xx', 'POST', '12345'],
    ['x', '2xx', 'POST', 'y'.repeat(100_000)],
  ] as const) {
    const headers = { ':path': `/exact/${kind}`, ':method': method }
    const exact = client.request(headers, { endStream: body === '' })
    exact.on('data', (chunk: Buffer) => (ledger.received += chunk.length))
    if (body !== '') exact.end(body)
    ledger.sent += body.length
    await once(exact, 'close')
    ledger.took('exact', result)
  }
  const waiting = stream('/a/hang')
  await eventually(busy(house), 'under way')
  waiting.close(http2.constants.NGHTTP2_CANCEL)
  await eventually(() => !busy(house)(), 'over')
  const half = stream('/a/half')
  await once(half, 'data')
  half.close(http2.constants.NGHTTP2_CANCEL)
  await eventually(() => !busy(house)(), 'over')
  const post = client
    .request({ ':path': '/a/x', ':method': 'POST' }, { endStream: false })
    .on('error', () => {})
  post.write('abc')
  await eventually(busy(house), 'under way')
  post.close(http2.constants.NGHTTP2_CANCEL)
  ledger.took('a', 'aborted', undefined, 3)
  await eventually(() => !busy(house)(), 'over')
  // The connection goes, and all that is on it: half open, it kept one.
  stream('/a/hang')
  stream('/a/hang')
  await eventually(() => inflight(house) === 2, 'under way')
  client.destroy()
  ledger.took('a', 'aborted', undefined, 2)
}

async function audit(house: House, ledger: Ledger): Promise<void> {
  const total = Object.values(ledger.requests).reduce((sum, one) => sum + one, 0)
  await until(`${total} lines`, async () => house.lines.length >= total, 5000).catch(() => {})
  await until('nothing is under way', async () => inflight(house) === 0)
  const text = (await ask(house.admin, { url: '/metrics' })).body.toString()
  const samples = [...samplesOf(text)].map(([series, value]) => {
    const labels = Object.fromEntries([...series.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, n, v]) => [n, v]))
    return { name: series.replace(/\{.*/, ''), labels: labels as Record<string, string>, value }
  })
  for (const { name, value } of samples) assert.ok(Number.isFinite(value), `${name} ${value}`)
  const sums = (
    name: string,
    keys: readonly string[],
    where: (labels: Record<string, string>) => boolean = () => true,
  ): Sums => {
    const found: Sums = {}
    for (const one of samples)
      if (one.name === `holdfast_${name}` && one.value !== 0 && where(one.labels))
        add(found, keys.map((key) => one.labels[key]).join(' '), one.value)
    return found
  }
  const spansOf = (kind: number) => house.collector.spans.filter((span) => span.kind === kind)
  const clients = house.lines.reduce((sum, { attempts = 0 }) => sum + attempts, 0)
  await until('all spans', async () => house.collector.spans.length >= total + clients, 3000).catch(() => {})

  const routeOf = (route: string | undefined): string => (route === '/livez' ? 'local' : (route ?? 'none'))
  const logged: Sums = {}
  const loggedCodes: Sums = {}
  const failed = new Set<string>()
  let bytes = 0
  for (const { route, status, aborted, broken, error, ...line } of house.lines) {
    add(logged, `${routeOf(route)} ${resultOf(status, aborted, broken)}`)
    if (error !== undefined && status !== undefined && status >= 500) failed.add(`${line['reqId']} ${error}`)
    if (error !== undefined) add(loggedCodes, `${routeOf(route)} ${error}`)
    if (route === 'exact') bytes += line['bytes'] as unknown as number
  }
  const traced: Sums = {}
  const tracedErrors = spansOf(2)
    .map(({ attributes: a }) => `${a['holdfast.request_id']} ${a['error.type']}`)
    .filter((one) => one.includes(' GTW_'))
  assert.deepEqual(new Set(tracedErrors), failed, 'the log has other codes than the spans')
  for (const { attributes: a } of spansOf(2)) {
    const [left, broke] = [a['error.type'] === 'client_left', a['error.type'] === 'target_broke']
    add(
      traced,
      `${routeOf(a['holdfast.route'] as string)} ${resultOf(a['http.response.status_code'] as number, left, broke)}`,
    )
  }
  const books = { page: sums('requests_total', ['route', 'result']), log: logged, spans: traced }
  for (const [name, book] of Object.entries(books)) assert.deepEqual(book, ledger.requests, name)
  assert.deepEqual(sums('errors_total', ['route', 'code']), ledger.codes)
  assert.deepEqual(loggedCodes, ledger.codes)

  const stats = (await (await fetch(`http://127.0.0.1:${house.admin}/stats`)).json()) as Stats
  const perRoute: Sums = {}
  for (const [key, count] of Object.entries(ledger.requests)) add(perRoute, key.replace(/ .*/, ''), count)
  for (const { name, requests } of stats.routes)
    assert.equal(requests, perRoute[name] ?? 0, `/stats: ${name}`)
  // How long a tunnel was open is no duration.
  const timed = sums('requests_total', ['route'], ({ result }) => result !== '1xx')
  assert.deepEqual(sums('request_duration_seconds_count', ['route']), timed)

  const forwarded: Sums = {}
  for (const { upstream } of house.lines) if (upstream !== undefined) add(forwarded, upstream)
  assert.deepEqual(sums('upstream_requests_total', ['upstream']), forwarded)
  const kinds = sums('upstream_attempt_kinds_total', ['upstream'])
  const attempts = sums('upstream_attempts_total', ['upstream'])
  const atTargets = sums('target_attempts_total', ['upstream'])
  const mirrored = sums('mirrored_requests_total', ['upstream'])
  for (const [upstream, count] of Object.entries(mirrored)) add(kinds, upstream, count)
  assert.deepEqual(kinds, attempts)
  assert.deepEqual(atTargets, attempts)
  assert.deepEqual(sums('upstream_inflight', ['upstream']), {})
  assert.deepEqual(sums('target_inflight', ['upstream']), {})
  assert.equal(spansOf(3).length, clients)

  assert.equal(sums('response_bytes_total', ['route'])['exact'] ?? 0, ledger.received, 'bytes to clients')
  assert.equal(bytes, ledger.received, 'bytes of the log')
  assert.equal(sums('request_bytes_total', ['route'])['exact'] ?? 0, ledger.sent, 'bytes from clients')
}

/** A gateway in which every concern that has something to show has it, and which has served a request. */
async function busyGateway(t: TestContext) {
  const { origin } = await startTarget(t)
  const admin = await freePort()
  const gateway = await startGateway({
    admin: { port: admin },
    metrics: { perTarget: 'histograms' },
    upstreams: {
      main: {
        targets: [{ origin, zone: 'a "zone"' }],
        circuitBreaker: {},
        adaptiveConcurrency: {},
        healthCheck: { path: '/', interval: '100ms' },
      },
    },
    routes: [{ path: '/*', name: 'every "one"\\', upstream: 'main' }],
  } as object)
  t.after(() => {
    gateway.app.server.closeAllConnections()
    gateway.app.admin?.server.closeAllConnections()
    void gateway.app.close()
  })
  const page = async (accept = 'text/plain'): Promise<string> =>
    (await ask(admin, { url: '/metrics', headers: { accept } })).body.toString()
  await until('a served request', async () => {
    const { status } = await ask(gateway.port, { url: '/hello' })
    await ask(gateway.port, { url: '/a%00b' })
    const samples = samplesOf(await page())
    const errors = [...samples.keys()].some((series) => series.startsWith('holdfast_errors_total'))
    return (
      status === 200 &&
      errors &&
      samples.get(`holdfast_health_check_healthy{upstream="main",target="${origin}"}`) === 1
    )
  })
  return { ...gateway, admin, origin, page }
}

interface Documented {
  readonly type: string
  readonly labels: string
}

/** The rows of docs/metrics.md: what each metric is called, its type and its labels. */
function documented(): Map<string, Documented> {
  const text = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
  const rows = text.matchAll(/^\| `([a-z0-9_]+)` +\| (counter|gauge|histogram|summary) +\| ([^|]*)\|/gm)
  return new Map(
    [...rows].map(([, name, type, labels]) => [
      name as string,
      { type: type as string, labels: (labels as string).trim() },
    ]),
  )
}

// Mostly they wait for others.
describe('the page', { timeout: 90_000, concurrency: 4 }, () => {
  it('HTTP/1.1: bytes of pipelined requests counted twice, broken event streams as aborted, copies as no attempt', {
    timeout: 60_000,
  }, async (t) => {
    const house = await gatewayOf(t, {})
    const ledger = new Ledger()
    await http1(house, ledger)
    await audit(house, ledger)
  })

  it('HTTP/2: the last request of a connection that went was never over', { timeout: 60_000 }, async (t) => {
    const house = await gatewayOf(t, { http2: true })
    const ledger = new Ledger()
    await withHttp2(house, ledger)
    await audit(house, ledger)
  })

  it(
    'Prometheus scrapes it, as OpenMetrics, with its exemplars, and counts what the gateway counts',
    needs('prometheus'),
    async (t) => {
      const gateway = await busyGateway(t)
      const url = await startPrometheus(t, scraping(`127.0.0.1:${gateway.admin}`, '100ms'))
      const get = async (path: string, parameters: Record<string, string>) => {
        const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
        return ((await response.json()) as { data: never }).data
      }
      const query = async (text: string) => {
        const { result } = (await get('query', { query: text })) as {
          result: { metric: Record<string, string>; value: [number, string] }[]
        }
        return result
      }
      // The name of the route has all that has to be escaped.
      const series = 'sum(holdfast_requests_total{route="every \\"one\\"\\\\"})'
      const { requests } = gateway.app.measures.total()
      // What is wrong with a scrape is said here, and nowhere else.
      const state = async (): Promise<string> => {
        const { activeTargets } = (await get('targets', {})) as {
          activeTargets: { health: string; lastError: string }[]
        }
        return activeTargets.map(({ health, lastError }) => `${health} ${lastError}`).join()
      }
      await until('a scrape', async () => /^(up|down)/.test(await state()), 20_000)
      assert.equal(await state(), 'up ')
      await until('all requests', async () => Number((await query(series))[0]?.value[1]) >= requests, 20_000)
      const now = Date.now() / 1000
      const exemplars = (await get('query_exemplars', {
        query: 'holdfast_request_duration_seconds_bucket',
        start: String(now - 600),
        end: String(now + 60),
      })) as { exemplars: { labels: Record<string, string> }[] }[]
      // Only the one format that has exemplars can have brought them.
      assert.ok(
        exemplars.some((one) => one.exemplars.some(({ labels }) => labels['request_id'] !== undefined)),
      )
      // The time of an exemplar was another one with each page: "out of order" at nearly every scrape.
      const scrapes = async () => Number((await query('sum(count_over_time(up[5m]))'))[0]?.value[1])
      await until('ten scrapes', async () => (await scrapes()) >= 10, 20_000)
      const own = await (await fetch(`${url}/metrics`)).text()
      const outOfOrder = /^prometheus_target_scrapes_exemplar_out_of_order_total (\d+)$/m.exec(own)?.[1]
      assert.equal(outOfOrder, '0', 'exemplars out of order')
      const [quantile] = await query(
        'histogram_quantile(0.5, sum by (le) (holdfast_request_duration_seconds_bucket))',
      )
      assert.ok(Number(quantile?.value[1]) > 0)
      assert.deepEqual((await query('holdfast_target_info'))[0]?.metric['zone'], 'a "zone"')
    },
  )

  it(
    'promtool has no complaint, and the docs say what there is: names, types and labels',
    needs('promtool'),
    async (t) => {
      const gateway = await busyGateway(t)
      const page = await gateway.page()
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: page,
        encoding: 'utf8',
      })
      assert.equal(`${stdout}${stderr}`, '')
      assert.equal(status, 0)

      // `holdfast_connections` was two of them: a gauge, and a counter without its `_total`.
      const openMetrics = await gateway.page('application/openmetrics-text')
      const names = [...openMetrics.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name as string)
      assert.deepEqual(
        names.filter((name, i) => names.indexOf(name) !== i),
        [],
        'two families of one name',
      )
      for (const [series, value] of samplesOf(page)) assert.ok(Number.isFinite(value), `${series} ${value}`)
      const docs = documented()
      const others = readdirSync(join(ROOT, 'docs'))
        .filter((file) => file.endsWith('.md'))
        .map((file) => readFileSync(join(ROOT, 'docs', file), 'utf8'))
        .join('\n')
      const samples = [...samplesOf(page).keys()]
      const seen = new Set<string>()
      for (const [, name = '', type] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
        seen.add(name)
        const row = docs.get(name)
        // What another concern counts may be described on its own page, by the name that a query needs.
        if (row === undefined) {
          assert.ok(others.includes(`\`${name}\``), `no page in docs/ has \`${name}\``)
          continue
        }
        // A histogram of each target is one of the two that the config may ask for.
        if (name !== 'holdfast_target_attempt_duration_seconds') assert.equal(row.type, type, name)
        const sample = samples.find((series) => series.replace(/(_bucket|_sum|_count)?(\{.*)?$/, '') === name)
        const labels = [...(sample ?? '').matchAll(/[{,]([a-z_]+)="/g)].map(([, label]) => label)
        if (sample !== undefined)
          assert.equal(labels.filter((label) => label !== 'le').join(', '), row.labels, name)
      }
      for (const name of docs.keys())
        assert.ok(seen.has(name), `docs/metrics.md describes ${name}, which is not there`)
    },
  )
})
