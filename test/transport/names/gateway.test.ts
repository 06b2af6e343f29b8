/**
 * The names of targets as a gateway meets them: the system's look-ups are the test's own, the connections are real. A
 * machine of the name is a server on an address of its own, 127.0.0.2 and up.
 */
import assert from 'node:assert/strict'
import dns, { type LookupAddress } from 'node:dns'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import { connect, type Server, type Socket } from 'node:net'
import { after, before, describe, it, mock, type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { H1Pool } from '../../../plugins/transport/h1/pool.ts'
import type { UpstreamEvent } from '../../../plugins/upstreams/events.ts'
import { createAuthority } from '../../support/certificates.ts'
import { freePort, portFor } from '../../support/ports.ts'
import { startProcess } from '../../support/process.ts'
import { listen } from '../../support/target.ts'
import { until } from '../../support/until.ts'
import { answering, OK, Recorder } from '../h1/support.ts'
import { ask, gatewayTo } from '../support.ts'
import { deaf, mayMount, ownMachine } from './machine.ts'

type Found = (error: Error | null, addresses: LookupAddress[]) => void

/** What the system says of a name: addresses, the code of an error, or nothing at all, for ever. */
const world = new Map<string, readonly string[] | string>()
const lookups: string[] = []
/** What the machines were asked, and which of them. */
const asked: string[] = []

const lookup = dns.lookup
function fakeLookup(name: string, options: object, found: Found): void {
  // Servers that listen ask as well.
  if (!name.endsWith('.test')) {
    lookup(name, options, found as never)
    return
  }
  lookups.push(name)
  const what = world.get(name)
  if (what === undefined) return
  setImmediate(() => {
    if (typeof what === 'string') found(Object.assign(new Error(`getaddrinfo ${what}`), { code: what }), [])
    else
      found(
        null,
        what.map((address) => ({ address, family: 4 })),
      )
  })
}

const named: http.RequestListener = (request, response) => {
  const { url, socket } = request
  asked.push(`${url} ${socket.localAddress}`)
  if (url === '/rif')
    response.setHeader('endpoint-load-metrics', 'JSON {"named_metrics":{"rif":0,"latencyMs":1}}')
  if (url === '/last') response.setHeader('connection', 'close')
  const slow = url === '/slow'
  response.write('at ')
  // Long enough that its name has moved before.
  setTimeout(() => response.end(socket.localAddress), slow ? 7000 : 0)
}

/** Servers on these addresses, all at one port. */
async function machines(t: TestContext, addresses: readonly string[], plain = true): Promise<number> {
  const port = await freePort()
  for (const address of addresses) {
    const server = plain
      ? http.createServer(named)
      : http2.createServer((request, response) => {
          named(
            request as unknown as IncomingMessage,
            response as unknown as ServerResponse<IncomingMessage> & { req: IncomingMessage },
          )
        })
    server.on('upgrade', (_request, socket: Socket) => {
      socket.on('error', () => {})
      socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
    })
    const sockets = new Set<Socket>()
    ;(server as Server).on('connection', (socket) => sockets.add(socket.on('error', () => {})))
    await new Promise<void>((resolve) => (server as Server).listen(port, address, resolve))
    t.after(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
  }
  return port
}

function listening(events: UpstreamEvent[]) {
  return async (app: Parameters<NonNullable<Parameters<typeof gatewayTo>[2]>['use'] & {}>[0]) =>
    app.upstreams.onEvent((event) => events.push(event))
}

const quiet = { outlierDetection: false, proofOfLife: false }

function upgrade(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    let head = ''
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (chunk) => {
      head += chunk
    })
    socket.on('close', () => resolve(head.slice(0, 12)))
    socket.on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n`)
  })
}

describe('names of targets', { concurrency: true }, () => {
  let faked: { readonly mock: { restore(): void } } | undefined
  before(() => {
    faked = mock.method(dns, 'lookup', fakeLookup as never)
  })
  after(() => faked?.mock.restore())

  it('a name that the resolver is silent on is a target that cannot be reached, and nobody else notices', async (t) => {
    world.set('good.test', ['127.0.0.2'])
    const port = await machines(t, ['127.0.0.2'])
    const events: UpstreamEvent[] = []
    const gateway = await gatewayTo(t, `http://good.test:${port}`, {
      use: listening(events),
      route: { upgrade: ['echo'] },
      upstream: { healthCheck: { type: 'tcp', interval: '50ms', timeout: '2s', port } },
      others: {
        dead: { targets: [{ origin: 'http://dead.test:1' }], failover: { hedge: false, retries: 0 } },
        dead2: {
          targets: [{ origin: 'http://dead.test:1' }],
          http2: true,
          failover: { hedge: false, retries: 0 },
        },
      },
      routes: [
        { path: '/dead', upstream: 'dead', upgrade: ['echo'] },
        { path: '/dead2', upstream: 'dead2' },
      ],
    })
    await until('the first check', () => events.some(({ name }) => name === 'healthy'))
    const dead = ['/dead', '/dead2'].flatMap((url) =>
      Array.from({ length: 8 }, () => ask(gateway.port, { url })),
    )
    for (let i = 0; i < 20; i++) {
      assert.equal((await ask(gateway.port, { url: '/last' })).body.toString(), 'at 127.0.0.2')
    }
    assert.equal(await upgrade(gateway.port, '/dead'), 'HTTP/1.1 502')
    assert.equal(await upgrade(gateway.port, '/'), 'HTTP/1.1 101')
    for (const { status, body } of await Promise.all(dead)) {
      // With only one target it is taken out once it has failed a few times, and used all the same.
      assert.equal(status, 502)
      assert.equal(JSON.parse(body.toString()).code, 'GTW_UPSTREAM_UNREACHABLE')
    }
    const unresolved = events.filter(({ name }) => name === 'name-unresolved')
    assert.deepEqual(
      unresolved.map(({ upstream, by, level }) => [upstream, by, level]),
      [
        ['dead', 'names', 'warn'],
        ['dead2', 'names', 'warn'],
      ],
    )
    assert.match(unresolved[0]?.why ?? '', /^dead\.test cannot be looked up \(ETIMEOUT\); it has no address$/)
    assert.equal(lookups.filter((name) => name === 'dead.test').length, 1)
    // Every five seconds, whoever connects: requests, tunnels, and twenty checks a second.
    assert.ok(lookups.filter((name) => name === 'good.test').length <= 3)
    assert.ok(events.every(({ target, name }) => target?.upstream !== 'main' || name === 'healthy'))
  })

  it('a name that does not exist costs a request no retry: nothing was sent', async (t) => {
    world.set('here.test', ['127.0.0.2'])
    world.set('nowhere.test', 'ENOTFOUND')
    const port = await machines(t, ['127.0.0.2'])
    const gateway = await gatewayTo(t, [`http://nowhere.test:${port}`, `http://here.test:${port}`], {
      upstream: { ...quiet, failover: { hedge: false, retries: 1, budget: { ratio: 0, minPerSecond: 0 } } },
    })
    const outcomes: unknown[] = []
    gateway.app.upstreams.subscribe(({ origin }, outcome) => {
      if (origin.includes('nowhere'))
        outcomes.push(outcome.kind === 'failed' && [outcome.reason, outcome.requestSent])
    })
    for (let i = 0; i < 10; i++) {
      const method = i % 2 === 0 ? 'GET' : 'POST'
      assert.equal((await ask(gateway.port, { method, body: 'x' })).status, 200)
    }
    assert.ok(outcomes.length > 0)
    assert.deepEqual(outcomes[0], ['connect', false])
  })

  it('the addresses of a name are used in turn, and one that refuses is passed over', async (t) => {
    world.set('many.test', ['127.0.0.2', '127.0.0.3', '127.0.0.4'])
    const port = await machines(t, ['127.0.0.2', '127.0.0.3'])
    const gateway = await gatewayTo(t, `http://many.test:${port}`, {
      upstream: { failover: { hedge: false, retries: 0 } },
    })
    const seen = new Map<string, number>()
    for (let i = 0; i < 12; i++) {
      const { body } = await ask(gateway.port, { url: '/last' })
      seen.set(body.toString(), (seen.get(body.toString()) ?? 0) + 1)
    }
    // The first one stands in for the dead one.
    assert.deepEqual([...seen].sort(), [
      ['at 127.0.0.2', 8],
      ['at 127.0.0.3', 4],
    ])
    const collected = new Map<string, number>()
    for (const { name, collect } of gateway.app.upstreams.collectors) {
      if (name.startsWith('name_'))
        collect((value, ...labels) => collected.set([name, ...labels].join(' '), value))
    }
    assert.equal(collected.get('name_addresses many.test'), 3)
    assert.equal(collected.get('name_lookups_total many.test found'), 1)
    assert.equal(collected.get('name_lookups_total many.test failed'), 0)
    assert.ok((collected.get('name_age_seconds many.test') as number) < 60)
  })

  it('TLS asks for the name and verifies it, by both versions', async (t) => {
    const authority = createAuthority()
    const { cert, key } = authority.issue('secure.test')
    const names: unknown[] = []
    const server = http2.createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
      names.push([request.httpVersion, (request.socket as TLSSocket & { servername?: string }).servername])
      response.end('ok')
    })
    const port = await portFor(server)
    t.after(() => server.close())
    world.set('secure.test', ['127.0.0.1'])
    const origin = `https://secure.test:${port}`
    const upstream = { tls: { ca: authority.cert }, failover: { hedge: false, retries: 0 } }
    const gateway = await gatewayTo(t, origin, {
      upstream,
      others: { second: { targets: [{ origin }], http2: true, ...upstream } },
      routes: [{ path: '/second', upstream: 'second' }],
    })
    for (const url of ['/', '/second']) assert.equal((await ask(gateway.port, { url })).status, 200)
    assert.deepEqual(names, [
      ['1.1', 'secure.test'],
      ['2.0', 'secure.test'],
    ])
  })

  for (const plain of [true, false]) {
    const version = plain ? 'HTTP/1.1' : 'HTTP/2'
    it(`a name that moves under load takes its requests along (${version})`, async (t) => {
      const name = plain ? 'mover.test' : 'mover2.test'
      world.set(name, ['127.0.0.2'])
      const port = await machines(t, ['127.0.0.2', '127.0.0.3'], plain)
      const events: UpstreamEvent[] = []
      const gateway = await gatewayTo(t, `http://${name}:${port}`, {
        use: listening(events),
        upstream: { http2: !plain, failover: { hedge: false, retries: 0 } },
      })
      const where = async (): Promise<string> => (await ask(gateway.port)).body.toString()
      assert.equal(await where(), 'at 127.0.0.2')
      const slow = ask(gateway.port, { url: '/slow' })
      world.set(name, ['127.0.0.3'])
      await until('the new address', async () => (await where()) === 'at 127.0.0.3')
      for (let i = 0; i < 20; i++) assert.equal(await where(), 'at 127.0.0.3')
      const [moved] = events
      assert.equal(moved?.name, 'address-changed')
      assert.equal(moved?.why, `${name} is at 127.0.0.3 now; it was at 127.0.0.2`)
      // What is under way is finished, and its connection closed then.
      const { complete, body } = await slow
      assert.deepEqual([complete, body.toString()], [true, 'at 127.0.0.2'])
      const connections = (): number => {
        let open = 0
        for (const { name, collect } of gateway.app.upstreams.collectors) {
          if (name === 'pool_connections') collect((value) => (open += value))
        }
        return open
      }
      await until('the old connection to close', () => connections() === 1)
    })
  }

  it('what asks a target besides its requests moves with its name: who may come in, how busy it is', async (t) => {
    world.set('asked.test', ['127.0.0.5'])
    const port = await machines(t, ['127.0.0.5', '127.0.0.6'])
    const http2Port = await machines(t, ['127.0.0.5', '127.0.0.6'], false)
    const probed = (path: string) => ({ policy: 'prequal', probe: { path, timeout: '2s' } })
    const gateway = await gatewayTo(t, `http://asked.test:${port}`, {
      upstream: { ...quiet, loadBalancing: probed('/rif') },
      route: { authorization: { external: { upstream: 'decides', path: '/may', onFailure: 'deny' } } },
      others: {
        decides: { targets: [{ origin: `http://asked.test:${port}` }] },
        second: {
          targets: [{ origin: `http://asked.test:${http2Port}` }],
          http2: true,
          loadBalancing: probed('/rif2'),
        },
      },
      routes: [{ path: '/second', upstream: 'second' }],
    })
    const ofAll = async (machine: string): Promise<boolean> => {
      asked.length = 0
      for (const url of ['/first', '/second']) assert.equal((await ask(gateway.port, { url })).status, 200)
      return ['/first', '/second', '/may', '/rif', '/rif2'].every((url) =>
        asked.includes(`${url} ${machine}`),
      )
    }
    await until('the old machine to be asked', () => ofAll('127.0.0.5'))
    world.set('asked.test', ['127.0.0.6'])
    await until('the new machine to be asked', () => ofAll('127.0.0.6'))
  })

  it(
    'a name nobody answers for takes no other target down, and names that vanish are remembered',
    mayMount(),
    async (t) => {
      const { questions } = await deaf(t)
      const { put, under } = await ownMachine(t)
      const target = await listen((request, response) => {
        response.setHeader('connection', 'close')
        response.end(request.socket.localAddress)
      })
      t.after(() => target.close())
      await put(['127.0.0.1 one.internal', '127.0.0.1 two.internal'])
      const gateway = await startProcess(t, {
        under,
        config: `export default {
      server: { drain: 0 },
      upstreams: {
        dead: { targets: [{ origin: 'http://nowhere.example.test:1' }] },
        good: {
          targets: [{ origin: 'http://one.internal:${target.port}' }, { origin: 'http://two.internal:${target.port}' }],
          healthCheck: { type: 'tcp', interval: '200ms' },
        },
      },
      routes: [{ path: '/dead', upstream: 'dead' }, { path: '/*', upstream: 'good' }],
    }`,
      })
      /** Why, of each such event in the log. */
      const events = (event: string, upstream = 'good'): string[] =>
        gateway.lines.flatMap((line) =>
          line['event'] === event && line['upstream'] === upstream ? [String(line['why'])] : [],
        )
      await until('the checks', () => events('healthy').length === 2)

      const dead = Array.from({ length: 12 }, () => ask(gateway.port, { url: '/dead' }))
      for (let i = 0; i < 30; i++) assert.equal((await ask(gateway.port)).status, 200)
      for (const { status } of await Promise.all(dead)) assert.equal(status, 502)
      assert.ok(questions() > 0)
      assert.match(events('name-unresolved', 'dead').join(), /^nowhere\.example\.test cannot be looked up/)
      assert.deepEqual([...events('ejected'), ...events('unhealthy')], [])

      // Neither /etc/hosts nor the resolver has a word of them now.
      await put([])
      await until('the look-ups to fail', () => events('name-unresolved').length === 2, 20_000)
      for (let i = 0; i < 10; i++) assert.equal((await ask(gateway.port)).status, 200)
      assert.match(
        events('name-unresolved').join(),
        /one\.internal cannot be looked up \(EAI_AGAIN\); its last addresses are kept: 127\.0\.0\.1/,
      )
      await put(['127.0.0.1 one.internal', '127.0.0.1 two.internal'])
      await until('the names to be found', () => events('name-resolved').length === 2, 20_000)
      assert.deepEqual(events('unhealthy'), [])
      gateway.child.kill('SIGTERM')
      assert.equal(await gateway.ended, 0, gateway.output())
    },
  )

  it('the last addresses of a name are used while the resolver is away', async (t) => {
    world.set('kept.test', ['127.0.0.2'])
    const port = await machines(t, ['127.0.0.2'])
    const events: UpstreamEvent[] = []
    const gateway = await gatewayTo(t, `http://kept.test:${port}`, { use: listening(events) })
    assert.equal((await ask(gateway.port, { url: '/last' })).status, 200)
    world.set('kept.test', 'EAI_AGAIN')
    await until('the look-up to fail', () => events.length > 0)
    assert.equal(
      events[0]?.why,
      'kept.test cannot be looked up (EAI_AGAIN); its last addresses are kept: 127.0.0.2',
    )
    for (let i = 0; i < 5; i++) assert.equal((await ask(gateway.port, { url: '/last' })).status, 200)
    world.set('kept.test', ['127.0.0.2'])
    await until('the name to be found again', () => events.some(({ name }) => name === 'name-resolved'))
    assert.equal(events.length, 2)
  })
})

test('a connection of HTTP/1.1 to an address that is gone ends with its answer, and not before', async (t) => {
  const { port, sockets } = await answering(t, (head) => (head.includes('/held') ? undefined : OK))
  const pool = new H1Pool({
    connect: (onread) => connect({ port, host: '127.0.0.1', onread }),
    secure: false,
    connections: 8,
    keepAliveTimeout: 60_000,
    maxHeaderSize: 16_384,
    connectTimeout: 0,
  })
  t.after(() => pool.destroy())
  const get = (path: string): Recorder => {
    const recorder = new Recorder()
    pool.dispatch({ path, method: 'GET', headers: ['host', 'a'], body: null }, recorder)
    return recorder
  }
  const [held, stays] = [get('/held'), get('/held')]
  await get('/').over
  await until('the requests to be sent', () => held.starts + stays.starts === 2)
  assert.deepEqual([pool.stats.connected, pool.stats.free], [3, 1])
  pool.keepOnly(new Set(['127.0.0.9']))
  assert.deepEqual([pool.stats.connected, pool.stats.free], [2, 0])
  sockets[0]?.write(OK)
  assert.equal((await held.over).body, 'ok')
  assert.deepEqual([pool.stats.connected, pool.stats.free], [1, 0])
  // It has come back before anything else ended there.
  pool.keepOnly(new Set(['127.0.0.1']))
  sockets[1]?.write(OK)
  assert.equal((await stays.over).body, 'ok')
  assert.deepEqual([pool.stats.connected, pool.stats.free], [1, 1])
})
