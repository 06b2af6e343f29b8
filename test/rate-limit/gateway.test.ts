/** Limits as clients and operators see them, counted in the gateway's own process. */
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { ConfigError } from '../../plugins/config/errors.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'
import { readGateway } from '../support/config.ts'
import { buildGateway, rawRequest } from '../support/gateway.ts'
import { type Answer, startTarget } from '../support/target.ts'

const AUTH = {
  jwt: { issuers: [{ issuer: 'https://id.example', audience: 'api', secret: 's'.repeat(32) }] },
}
/** Lets in who brings nothing; the guard below says who it is. */
const OPTIONAL = { accept: 'jwt', optional: true }

interface Setup {
  readonly routes: readonly object[]
  readonly upstream?: object
  readonly gateway?: object
  readonly answer?: Answer
  readonly use?: (app: FastifyInstance) => void
}

/** A gateway whose callers say who they are in `x-who`, and are believed. */
async function limited(t: TestContext, { routes, upstream, gateway, answer, use }: Setup) {
  const target = await startTarget(t, answer)
  const lines: string[] = []
  const app = await buildGateway(
    {
      auth: AUTH,
      upstreams: { users: { targets: [{ origin: target.origin }], ...upstream } },
      routes: routes.map((route) => ({ upstream: 'users', ...route })),
      ...gateway,
    },
    {
      log: (line) => lines.push(line),
      use: async (fastify) => {
        fastify.addGuard({
          name: 'who',
          stage: 'authenticate',
          forRoute: () => (request) => {
            const who = request.headers['x-who']
            if (typeof who !== 'string') return
            const [name = '', plan, consumer] = who.split('/')
            request.identity = {
              id: `test:${name}`,
              kind: 'test',
              name,
              consumer: consumer || undefined,
              plan: plan || undefined,
              scopes: [],
              roles: [],
              claims: { org: name.slice(0, 1) },
            } satisfies Identity
          },
        })
        use?.(fastify)
      },
    },
  )
  t.after(() => app.close())
  const get = async (url: string, headers: Record<string, string> = {}, remoteAddress = '192.0.2.1') => {
    const response = await app.inject({ url, headers, remoteAddress })
    return { status: response.statusCode, headers: response.headers, json: () => response.json() }
  }
  /** How many of so many requests pass. */
  const passing = async (count: number, ...request: Parameters<typeof get>): Promise<number> => {
    let passed = 0
    for (let i = 0; i < count; i++) if ((await get(...request)).status === 200) passed++
    return passed
  }
  const metric = (name: string): Record<string, number> => {
    const values: Record<string, number> = {}
    app.upstreams.collectors
      .find((one) => one.name === name)
      ?.collect((value, ...labels) => {
        if (value !== 0) values[labels.join(' | ')] = value
      })
    return values
  }
  return { app, target, lines, get, passing, metric }
}

async function refusal(config: object): Promise<string> {
  const users = { targets: [{ origin: 'http://127.0.0.1:9' }] }
  const whole = { upstreams: { users, other: users }, routes: [], ...config }
  // Most is told without a gateway.
  const { file, problems } = await readGateway(whole, 'test.config.ts')
  if (problems.length > 0) return new ConfigError(file, problems).message
  return buildGateway(whole).then(
    () => 'none',
    (error: Error) => error.message,
  )
}

const hourly = (max: number, more: object = {}) => ({ max, per: '1h', ...more })

describe('a refusal', () => {
  it('is a problem of its own with Retry-After, and limits are told on every answer', async (t) => {
    const { get, target } = await limited(t, {
      routes: [{ path: '/*', rateLimit: { max: 2, per: '1m', name: 'per-minute' } }],
    })
    const first = await get('/')
    assert.equal(first.status, 200)
    assert.equal(first.headers['ratelimit-policy'], '"per-minute";q=2;w=60')
    assert.equal(first.headers['ratelimit'], '"per-minute";r=1;t=30')
    const second = await get('/')
    assert.match(String(second.headers['ratelimit']), /^"per-minute";r=0;t=(30|29)$/)
    const third = await get('/')
    assert.equal(third.status, 429)
    assert.equal(third.headers['content-type'], 'application/problem+json')
    assert.match(String(third.headers['retry-after']), /^(30|29)$/)
    assert.match(String(third.headers['ratelimit']), /^"per-minute";r=0;t=(30|29)$/)
    assert.equal(third.json().code, 'GTW_RATE_LIMITED')
    assert.equal(target.seen.length, 2)
  })

  it('fault: the upstream’s own limit headers overwrite the gateway’s', async (t) => {
    const { get } = await limited(t, {
      routes: [{ path: '/limited', rateLimit: hourly(10) }, { path: '/open' }],
      answer: (_seen, response) => {
        response.setHeader('RateLimit', '"theirs";r=999;t=1')
        response.setHeader('RateLimit-Policy', '"theirs";q=999;w=1')
        response.setHeader('RateLimit-Remaining', '999')
        response.setHeader('X-RateLimit-Limit', '999')
        response.setHeader('X-RateLimit-Remaining', '999')
        response.end('ok')
      },
    })
    const { headers } = await get('/limited')
    assert.equal(headers['ratelimit-policy'], '"route";q=10;w=3600')
    assert.match(String(headers['ratelimit']), /^"route";r=9;/)
    for (const name of ['x-ratelimit-limit', 'x-ratelimit-remaining', 'ratelimit-remaining']) {
      assert.equal(headers[name], undefined, name)
    }
    // Where the gateway has no limit, the upstream's word stands.
    assert.equal((await get('/open')).headers['x-ratelimit-remaining'], '999')
  })

  it('tells of both limits that refuse, and Retry-After is when both have room', async (t) => {
    const { get } = await limited(t, {
      routes: [
        {
          path: '/*',
          rateLimit: [
            { max: 1, per: '10s', name: 'short' },
            { max: 1, per: '30s', name: 'long' },
          ],
        },
      ],
    })
    await get('/')
    const { headers } = await get('/')
    assert.match(String(headers['retry-after']), /^(30|29)$/)
    assert.equal(
      headers['ratelimit'],
      `"long";r=0;t=${headers['retry-after']}, "short";r=0;t=${Number(headers['retry-after']) - 20}`,
    )
  })

  it('says nothing of limits where that is not wanted', async (t) => {
    const { get } = await limited(t, {
      routes: [{ path: '/*', rateLimit: hourly(1) }],
      gateway: { rateLimits: { headers: false } },
    })
    assert.equal((await get('/')).headers['ratelimit'], undefined)
    const { status, headers } = await get('/')
    assert.equal(status, 429)
    assert.equal(headers['retry-after'], '3600')
    assert.equal(headers['ratelimit'], undefined)
  })

  it('names the most restrictive limit first', async (t) => {
    const { get } = await limited(t, {
      routes: [{ path: '/*', rateLimit: [hourly(100, { name: 'wide' }), hourly(3, { name: 'narrow' })] }],
    })
    const { headers } = await get('/')
    assert.match(String(headers['ratelimit']), /^"narrow";r=2;t=\d+, "wide";r=99;t=\d+$/)
    assert.equal(headers['ratelimit-policy'], '"narrow";q=3;w=3600, "wide";q=100;w=3600')
  })
})

describe('what is limited', () => {
  it('fault: routes registered before the limiter are uncovered', async (t) => {
    // Those of the config always are: the plugin comes after the routing.
    const { passing } = await limited(t, { routes: [{ path: '/*', rateLimit: hourly(3) }] })
    assert.equal(await passing(10, '/'), 3)
  })

  it('fault: 404s are uncovered', async (t) => {
    const { get, metric } = await limited(t, {
      routes: [{ path: '/known' }],
      gateway: { rateLimits: { limits: [hourly(3)] } },
    })
    const statuses = []
    for (const url of ['/a', '/known', '/%2', '/b', '/known']) statuses.push((await get(url)).status)
    assert.deepEqual(statuses, [404, 200, 400, 429, 429])
    const { headers, status } = await get('/nowhere')
    assert.equal(status, 429)
    assert.match(String(headers['ratelimit']), /^"gateway";r=0;/)
    // Another client has limits of its own, and the gateway's own endpoints have none.
    assert.equal((await get('/a', {}, '192.0.2.2')).status, 404)
    assert.equal((await get('/livez')).status, 200)
    assert.deepEqual(metric('rate_limit_decisions_total'), {
      'gateway/gateway |  | allowed': 3,
      'gateway/gateway |  | refused': 2,
      'gateway/gateway | /known | allowed': 1,
      'gateway/gateway | /known | refused': 1,
    })
  })

  it('an upstream: all routes to it together; a route: its own', async (t) => {
    const { passing, get } = await limited(t, {
      upstream: { rateLimit: hourly(5, { by: 'all' }) },
      routes: [{ path: '/a', rateLimit: hourly(2) }, { path: '/b', rateLimit: hourly(2) }, { path: '/c' }],
    })
    assert.equal(await passing(9, '/a'), 2)
    assert.equal(await passing(9, '/b'), 2)
    // What the routes have refused was not charged to the upstream.
    assert.equal(await passing(9, '/c', {}, '192.0.2.9'), 1)
    assert.match(
      String((await get('/a', {}, '192.0.2.9')).headers['ratelimit']),
      /^"upstream";r=0;.*"route";r=2/,
    )
  })

  it('upgrades too: a refused one is answered and goes nowhere', async (t) => {
    const { app, target } = await limited(t, {
      routes: [{ path: '/*', rateLimit: hourly(1) }],
      gateway: { server: { drain: 0 } },
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const upgrade = () =>
      rawRequest(
        port,
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
        { timeoutMs: 200 },
      )
    await upgrade()
    const sent = target.seen.length
    assert.match(await upgrade(), /^HTTP\/1\.1 429 .*GTW_RATE_LIMITED/s)
    assert.equal(target.seen.length, sent)
  })

  it('two routes of one name are counted apart', async (t) => {
    const { passing } = await limited(t, {
      routes: [
        { path: '/x', methods: ['GET'], rateLimit: hourly(2) },
        { path: '/x', methods: ['POST'], rateLimit: hourly(2) },
      ],
    })
    assert.equal(await passing(5, '/x'), 2)
  })

  it('preflights too, by their address: a flood of them is not for free', async (t) => {
    const cors = { origins: ['https://app.example'] }
    const { app, target, passing } = await limited(t, {
      routes: [
        { path: '/a', cors, rateLimit: hourly(3) },
        { path: '/b', cors, rateLimit: [hourly(1, { by: 'header:x-tenant' }), hourly(1, { by: 'all' })] },
        {
          path: '/c',
          cors,
          rateLimit: hourly(3, { cost: { expression: 'int(request.headers["x-cost"])' } }),
        },
        { path: '/d', methods: ['GET', 'OPTIONS'], rateLimit: hourly(2, { by: 'all' }) },
      ],
    })
    const preflights = async (url: string): Promise<number[]> => {
      const headers = { origin: 'https://app.example', 'access-control-request-method': 'GET' }
      const asked = [1, 2, 3, 4].map(() =>
        app.inject({ method: 'OPTIONS', url, headers, remoteAddress: '192.0.2.1' }),
      )
      return (await Promise.all(asked)).map(({ statusCode }) => statusCode)
    }
    assert.deepEqual(await preflights('/a'), [204, 204, 204, 429])
    assert.equal(await passing(1, '/a'), 0)
    assert.equal(await passing(1, '/a', {}, '192.0.2.2'), 1)
    // These tell by what no preflight brings.
    for (const url of ['/b', '/c']) assert.deepEqual(await preflights(url), [204, 204, 204, 204], url)
    assert.equal(await passing(2, '/b', { 'x-tenant': 'a' }), 1)
    assert.equal(await passing(4, '/c', { 'x-cost': '1' }), 3)
    // No preflight to the gateway, but a request like any other.
    assert.deepEqual(await preflights('/d'), [200, 200, 429, 429])
    assert.equal(target.seen.filter(({ method }) => method === 'OPTIONS').length, 2)
  })

  it('not those of trusted addresses', async (t) => {
    const { passing, get } = await limited(t, {
      routes: [{ path: '/*', rateLimit: hourly(1) }],
      gateway: { rateLimits: { trustedAddresses: ['10.0.0.0/8'] } },
    })
    assert.equal(await passing(5, '/', {}, '10.1.2.3'), 5)
    assert.equal(await passing(5, '/', {}, '::ffff:10.1.2.3'), 5)
    assert.equal((await get('/', {}, '10.1.2.3')).headers['ratelimit'], undefined)
    assert.equal(await passing(5, '/'), 1)
  })

  it('an endpoint in routes/ that sets the package’s own options, by our store', async (t) => {
    const { get, passing } = await limited(t, {
      routes: [],
      use: (app) => {
        app.get('/own', { config: { rateLimit: { max: 3, timeWindow: '1 minute' } } }, async () => 'own')
      },
    })
    assert.equal((await get('/own')).headers['x-ratelimit-remaining'], '2')
    assert.equal(await passing(9, '/own'), 2)
    const { status, headers, json } = await get('/own')
    assert.equal(status, 429)
    assert.match(String(headers['retry-after']), /^6[0-4]$/)
    // fault: its refusal has the code of a bad request
    const { code, detail } = json()
    assert.deepEqual(
      [code, detail],
      ['GTW_RATE_LIMITED', `Too many requests; try again in ${headers['retry-after']} s`],
    )
    assert.equal(await passing(9, '/own', {}, '192.0.2.2'), 3)
  })
})

describe('by', () => {
  it('address: a client’s IPv6 network is one client, IPv4 as IPv6 is IPv4', async (t) => {
    const { passing } = await limited(t, {
      routes: [
        { path: '/64', rateLimit: hourly(3) },
        { path: '/48', rateLimit: hourly(3, { ipv6Prefix: 48 }) },
      ],
    })
    assert.equal(await passing(2, '/64', {}, '2001:db8:1:2::1'), 2)
    assert.equal(await passing(2, '/64', {}, '2001:db8:1:2:ffff::9'), 1)
    assert.equal(await passing(2, '/64', {}, '2001:db8:1:3::1'), 2)
    assert.equal(await passing(4, '/48', {}, '2001:db8:1:2::1'), 3)
    assert.equal(await passing(1, '/48', {}, '2001:db8:1:ffff::1'), 0)
    assert.equal(await passing(2, '/64', {}, '192.0.2.77'), 2)
    assert.equal(await passing(2, '/64', {}, '::ffff:192.0.2.77'), 1)
  })

  it('address, as proxies tell of it: with its port a client is the same one all the same', async (t) => {
    const { app, target } = await limited(t, {
      gateway: { server: { trustProxy: ['127.0.0.1', '10.0.0.0/8', '2001:db8:1::/48'] } },
      routes: [{ path: '/*', rateLimit: hourly(2) }],
    })
    const statuses = async (...forwarded: string[]): Promise<number[]> => {
      const found: number[] = []
      for (const one of forwarded)
        found.push((await app.inject({ url: '/', headers: { 'x-forwarded-for': one } })).statusCode)
      return found
    }
    assert.deepEqual(await statuses('1.2.3.4:1001', '1.2.3.4:1002', '1.2.3.4'), [200, 200, 429])
    assert.deepEqual(
      await statuses('[2001:db8::3]', '"[2001:db8::5]:99"', '2001:db8::7', '[2001:db8::9]:1'),
      [200, 200, 429, 429],
    )
    assert.deepEqual(
      await statuses('1.2.3.5:1, 10.0.0.1:2', '1.2.3.5:3,[2001:db8:1::1]:4', '6.6.6.6, 1.2.3.5:5'),
      [200, 200, 429],
    )
    assert.deepEqual(await statuses('x', 'y', '1.2.3', '1.2.3.4:x', '[1.2.3'), [200, 200, 429, 429, 429])
    assert.equal(target.seen[0]?.headers['x-forwarded-for'], '1.2.3.4, 127.0.0.1')
    assert.equal(target.seen[4]?.headers['x-forwarded-for'], '1.2.3.5, 10.0.0.1, 127.0.0.1')
    assert.equal(target.seen[6]?.headers['x-forwarded-for'], 'unknown, 127.0.0.1')
  })

  it('identity, and by the address where nobody has said who it is', async (t) => {
    const { passing } = await limited(t, {
      routes: [{ path: '/*', auth: OPTIONAL, rateLimit: hourly(2, { by: 'identity' }) }],
    })
    assert.equal(await passing(4, '/', { 'x-who': 'ann' }, '192.0.2.1'), 2)
    assert.equal(await passing(4, '/', { 'x-who': 'ann' }, '192.0.2.2'), 0)
    assert.equal(await passing(4, '/', { 'x-who': 'bob' }, '192.0.2.1'), 2)
    assert.equal(await passing(4, '/', {}, '192.0.2.1'), 2)
    assert.equal(await passing(4, '/', {}, '192.0.2.2'), 2)
  })

  it('header, and by the address without it; no header can be made to look like an address', async (t) => {
    const { passing } = await limited(t, {
      routes: [{ path: '/*', rateLimit: hourly(2, { by: 'header:X-Tenant' }) }],
    })
    assert.equal(await passing(4, '/', { 'x-tenant': 'a' }, '192.0.2.1'), 2)
    assert.equal(await passing(4, '/', { 'x-tenant': 'a' }, '192.0.2.2'), 0)
    assert.equal(await passing(4, '/', { 'x-tenant': '192.0.2.1' }), 2)
    assert.equal(await passing(4, '/', { 'x-tenant': 'a192.0.2.1' }), 2)
    assert.equal(await passing(4, '/', {}, '192.0.2.1'), 2)
  })

  it('expression, with a cost that is one too', async (t) => {
    const { passing, get } = await limited(t, {
      routes: [
        { path: '/by', auth: OPTIONAL, rateLimit: hourly(2, { by: { expression: 'identity.claims.org' } }) },
        {
          path: '/cost',
          rateLimit: hourly(10, { cost: { expression: "int(request.headers['x-size'])" } }),
        },
      ],
    })
    assert.equal(await passing(2, '/by', { 'x-who': 'ann' }), 2)
    assert.equal(await passing(2, '/by', { 'x-who': 'alf' }), 0)
    assert.equal(await passing(2, '/by', { 'x-who': 'bob' }), 2)
    // Those that it has no value for are counted together.
    assert.equal(await passing(2, '/by', {}, '192.0.2.1'), 2)
    assert.equal(await passing(2, '/by', {}, '192.0.2.2'), 0)

    assert.equal(await passing(3, '/cost', { 'x-size': '4' }), 2)
    assert.equal(await passing(3, '/cost', { 'x-size': '1' }), 2)
    assert.equal(await passing(3, '/cost', { 'x-size': '0' }), 3)
    // What cannot be read is not cheaper than what can: it takes all.
    for (const [i, size] of ['none', '-5', '1e3', '9'.repeat(21), '4, 4'].entries())
      assert.equal(await passing(2, '/cost', { 'x-size': size }, `192.0.2.${30 + i}`), 1, size)
    const never = await get('/cost', { 'x-size': '11' }, '192.0.2.4')
    assert.equal(never.status, 429)
    assert.equal(never.headers['retry-after'], undefined, 'waiting does not help')
  })
})

describe('an expression’s value may be anything', () => {
  const by = (expression: string) => hourly(2, { by: { expression } })

  it('fault: all are one client to a limit by a map, a list, an unsigned number or bytes', async (t) => {
    const { passing } = await limited(t, {
      routes: [
        { path: '/map', rateLimit: by("{'b': {'n': 1u}, 'tenant': request.headers['x-tenant']}") },
        { path: '/list', rateLimit: by("[[request.headers['x-tenant']], [1, 2.5, null, true]]") },
        { path: '/uint', rateLimit: by("uint(request.headers['x-tenant'])") },
        { path: '/bytes', rateLimit: by("bytes(request.headers['x-tenant'])") },
        { path: '/claims', auth: OPTIONAL, rateLimit: by('identity.claims') },
      ],
    })
    for (const path of ['/map', '/list', '/uint', '/bytes']) {
      assert.equal(await passing(3, path, { 'x-tenant': '1' }), 2, path)
      assert.equal(await passing(3, path, { 'x-tenant': '2' }), 2, path)
    }
    assert.equal(await passing(3, '/claims', { 'x-who': 'ann' }), 2)
    assert.equal(await passing(3, '/claims', { 'x-who': 'alf' }), 0, 'the same claims')
    assert.equal(await passing(3, '/claims', { 'x-who': 'bob' }), 2)
  })

  it('fault: a limit by a moment answers 500, and one that is unsigned costs the whole limit', async (t) => {
    const { passing, get } = await limited(t, {
      routes: [
        { path: '/day', rateLimit: by("{'at': timestamp(request.headers['x-at'])}") },
        { path: '/cost', rateLimit: hourly(4, { cost: { expression: "uint(request.headers['x-size'])" } }) },
        { path: '/whole', rateLimit: by("dyn({'all': request})") },
      ],
    })
    assert.equal(await passing(3, '/day', { 'x-at': '2026-11-26T00:00:00Z' }), 2)
    assert.equal(await passing(3, '/day', { 'x-at': '2026-11-27T00:00:00Z' }), 2)
    assert.equal((await get('/day', { 'x-at': 'soon' })).status, 200)
    assert.equal(await passing(3, '/cost', { 'x-size': '2' }), 2)
    assert.equal(await passing(3, '/whole'), 2)
  })

  it('but not what never tells requests apart, and no cost that is no number', async () => {
    const told = (rule: object) => refusal({ routes: [{ path: '/*', upstream: 'users', rateLimit: rule }] })
    for (const expression of [
      'request.time',
      'request.time - request.time',
      'type(request.ip)',
      'request',
      '[request.time]',
    ])
      assert.match(
        await told(by(expression)),
        /by\.expression: has to be a text, a number, a list or a map, by which requests are told apart, and is of the type /,
        expression,
      )
    for (const expression of ['request.path', '[1]', 'true'])
      assert.match(
        await told(hourly(2, { cost: { expression } })),
        /cost\.expression: has to be a number, and is of the type (string|list|bool)/,
        expression,
      )
  })
})

describe('plans', () => {
  const setup = (more: object = {}): Setup => ({
    routes: [
      { path: '/a', auth: OPTIONAL },
      { path: '/b', auth: OPTIONAL },
    ],
    gateway: {
      rateLimits: {
        plans: {
          gold: [hourly(6, { name: 'hour' }), { max: 4, per: '1m', name: 'minute' }],
          free: hourly(1),
        },
        ...more,
      },
    },
  })

  it('are quotas of consumers, over all routes and their credentials', async (t) => {
    const { passing, get } = await limited(t, setup())
    assert.equal(await passing(3, '/a', { 'x-who': 'key1/gold/acme' }), 3)
    assert.equal(await passing(3, '/b', { 'x-who': 'key2/gold/acme' }), 1)
    const { headers } = await get('/b', { 'x-who': 'key2/gold/acme' })
    assert.match(String(headers['ratelimit']), /^"minute";r=0;t=\d+, "hour";r=2;t=\d+$/)
    assert.equal(await passing(3, '/a', { 'x-who': 'x/gold/other' }), 3)
    assert.equal(await passing(3, '/a', { 'x-who': 'y/free/third' }), 1)
    // Who has no plan has no quota, nor has who is nobody.
    assert.equal(await passing(9, '/a', { 'x-who': 'z' }), 9)
    assert.equal(await passing(9, '/a'), 9)
  })

  it('one that there is not means no open door', async (t) => {
    const { get } = await limited(t, setup())
    const { status, json } = await get('/a', { 'x-who': 'x/platinum' })
    assert.equal(status, 403)
    assert.equal(json().code, 'GTW_PLAN_UNKNOWN')
    assert.ok(!JSON.stringify(json()).includes('platinum'))
  })

  it('the default one is for those who have none that is known', async (t) => {
    const { passing } = await limited(t, setup({ defaultPlan: 'free' }))
    assert.equal(await passing(3, '/a', { 'x-who': 'x/platinum' }), 1)
    assert.equal(await passing(3, '/a', { 'x-who': 'y' }), 1)
    assert.equal(await passing(3, '/a', { 'x-who': 'y/gold' }), 3)
    assert.equal(await passing(3, '/a'), 3)
  })
})

describe('the two stages', () => {
  it('a request that is refused for who it is has spent of its address, and one refused for its address nothing', async (t) => {
    const { passing, get } = await limited(t, {
      routes: [
        {
          path: '/*',
          auth: OPTIONAL,
          rateLimit: [hourly(5, { name: 'address' }), hourly(2, { by: 'identity', name: 'identity' })],
        },
      ],
    })
    assert.equal(await passing(4, '/', { 'x-who': 'ann' }), 2)
    assert.equal((await get('/', { 'x-who': 'bob' })).status, 200, 'the fifth of the address')
    assert.equal(await passing(4, '/', { 'x-who': 'bob' }), 0)
    assert.equal(await passing(4, '/', { 'x-who': 'bob' }, '192.0.2.2'), 1)
  })
})

describe('a limit on trial', () => {
  it('refuses nothing, counts, and is told of in the log now and then', async (t) => {
    const { passing, metric, lines, get } = await limited(t, {
      routes: [{ path: '/*', name: 'all', rateLimit: hourly(2, { dryRun: true, name: 'new' }) }],
    })
    assert.equal(await passing(10, '/'), 10)
    assert.equal((await get('/')).headers['ratelimit'], undefined)
    assert.deepEqual(metric('rate_limit_decisions_total'), {
      'route all/new | all | allowed': 2,
      'route all/new | all | would-refuse': 9,
    })
    const told = lines.filter((line) => line.includes('would have refused'))
    assert.equal(told.length, 1)
    assert.match(told[0] as string, /"limit":"route all\/new".*"requests":1/)
  })
})

describe('a config is refused', () => {
  const route = { path: '/*', upstream: 'users' }
  for (const [name, config, message] of [
    [
      'identity without auth',
      { routes: [{ ...route, rateLimit: hourly(1, { by: 'identity' }) }] },
      /routes\[0\]\.rateLimit\[0\]: needs to know who.*give the route an `auth`/,
    ],
    [
      'an expression of the identity without auth',
      { routes: [{ ...route, rateLimit: hourly(1, { by: { expression: 'identity.id' } }) }] },
      /needs to know who/,
    ],
    [
      'a cost that never fits',
      { routes: [{ ...route, rateLimit: hourly(5, { cost: 6 }) }] },
      /no request would ever fit/,
    ],
    [
      'two of one name',
      { rateLimits: { limits: [hourly(1, { name: 'a' }), hourly(2, { name: 'a' })] } },
      /rateLimits\.limits\[1\]: is named "a" as rateLimits\.limits\[0\] is/,
    ],
    [
      'one of a route that is named as that of the gateway or of a plan',
      {
        rateLimits: { limits: [hourly(1)], plans: { gold: hourly(1, { name: 'day' }) } },
        routes: [{ ...route, rateLimit: [hourly(1, { name: 'gateway' }), hourly(2, { name: 'day' })] }],
      },
      /rateLimits\.plans\.gold\[0\]: is named "day" as routes\[0\]\.rateLimit\[1\] is.*routes\[0\]\.rateLimit\[0\]: is named "gateway" as rateLimits/s,
    ],
    [
      'an unknown default plan',
      { rateLimits: { plans: { gold: hourly(1) }, defaultPlan: 'gould' } },
      /rateLimits\.defaultPlan: no plan is named "gould"; did you mean "gold"/,
    ],
    [
      'a consumer of an unknown plan',
      { consumers: { acme: { plan: 'gould' } }, rateLimits: { plans: { gold: hourly(1) } } },
      /consumers\.acme\.plan: no plan is named "gould"; did you mean "gold"/,
    ],
    [
      'a limited upstream in a split',
      {
        upstreams: { users: { targets: [{ origin: 'http://127.0.0.1:9' }], rateLimit: hourly(1) } },
        routes: [{ path: '/', split: { users: 1 } }],
      },
      /routes\[0\]\.split: "users" has a `rateLimit`/,
    ],
    ['redis without Redis', { rateLimits: { store: 'redis' } }, /rateLimits\.store: there is no Redis; add/],
    [
      'an expression that is none',
      { routes: [{ ...route, rateLimit: hourly(1, { by: { expression: 'request.' } }) }] },
      /routes\[0\]\.rateLimit\[0\]\.by\.expression: /,
    ],
    [
      'a `by` that is nothing',
      { rateLimits: { limits: [hourly(1, { by: 'ip' })] } },
      /rateLimits\.limits\[0\]\.by: is nothing that requests can be told apart by; write 'address'/,
    ],
    [
      'a cost that is none',
      { rateLimits: { limits: [hourly(1, { cost: 0 })] } },
      /cost: is no cost; write a whole number/,
    ],
    // And nothing else, which would only be another word for it.
    [
      'no `max`',
      { rateLimits: { limits: [{ per: '1s' }] } },
      /problem\n +rateLimits\.limits\[0\]\.max: is required$/,
    ],
    [
      'what cannot be counted exactly',
      { rateLimits: { limits: [{ max: 999_999_937, per: '366d' }] } },
      /cannot be counted without rounding/,
    ],
    [
      'what cannot be divided',
      { rateLimits: { instances: 10_000, limits: [{ max: 100, per: '366d' }] } },
      /divided by `instances` it cannot be counted without rounding/,
    ],
  ] as const) {
    it(name, async () => assert.match(await refusal(config), message))
  }
})
