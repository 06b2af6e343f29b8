import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Target } from '../../plugins/upstreams/contract.ts'
import { buildGateway } from '../support/gateway.ts'
import { type Answer, startTarget } from '../support/target.ts'
import { ask, gatewayTo } from '../transport/support.ts'

const SECRET = 'a secret of sixteen or more'
const AFFINITY = { sessionAffinity: { secret: SECRET } }

async function targets(t: TestContext, answer?: (name: string) => Answer) {
  const named =
    (name: string): Answer =>
    (_seen, response) =>
      void response.end(name)
  const all = await Promise.all(['a', 'b', 'c'].map((name) => startTarget(t, (answer ?? named)(name))))
  return all.map(({ origin }) => origin)
}

/** A browser: it keeps the cookie that it is given. */
function browser(port: number) {
  const client = {
    cookie: '',
    sets: 0,
    async get(url = '/', headers: Record<string, string> = {}): Promise<string> {
      const sent = { ...headers, ...(client.cookie === '' ? {} : { cookie: client.cookie }) }
      const answer = await ask(port, { url, headers: sent })
      const [own] = (answer.headers['set-cookie'] ?? []).filter((text) =>
        text.startsWith('holdfast-session='),
      )
      if (own !== undefined) {
        client.cookie = own.split(';')[0] as string
        client.sets++
      }
      return answer.body.toString()
    },
  }
  return client
}

describe('session affinity in a gateway', () => {
  it('sends each client to the target of its first request, over any policy', async (t) => {
    const origins = await targets(t)
    for (const loadBalancing of ['round-robin', 'random', { policy: 'maglev', on: { query: 'q' } }]) {
      const { port } = await gatewayTo(t, origins, { upstream: { ...AFFINITY, loadBalancing } })
      const clients = Array.from({ length: 6 }, () => browser(port))
      const firsts = await Promise.all(clients.map((client, i) => client.get(`/?q=${i}`)))
      assert.ok(new Set(firsts).size > 1)
      for (const [i, client] of clients.entries()) {
        for (let n = 0; n < 5; n++) assert.equal(await client.get(`/?q=x${n}`), firsts[i])
        assert.equal(client.sets, 1, 'told once')
      }
    }
  })

  it('leaves a session where its login is: no hedge, no doubt and no error of the application moves it', async (t) => {
    const origins = await targets(t, (name) => {
      const known = new Set<string>()
      return ({ url, headers }, response) => {
        const { pathname, searchParams } = new URL(url, 'http://t')
        const user = /login=(\w+)/.exec(String(headers.cookie))?.[1]
        if (pathname === '/login') {
          known.add(String(searchParams.get('user')))
          response.setHeader('set-cookie', `login=${searchParams.get('user')}`)
          response.end(name)
          return
        }
        response.statusCode = known.has(user ?? '') ? Number(searchParams.get('status') ?? 200) : 401
        // Who knows nobody is quick to say so.
        const wait = response.statusCode === 401 ? 0 : Number(searchParams.get('wait') ?? 0)
        setTimeout(() => response.end(name), wait)
      }
    })
    const { port } = await gatewayTo(t, origins, {
      upstream: { ...AFFINITY, loadBalancing: 'least-requests', failover: { hedge: { after: '20ms' } } },
    })
    const login = await ask(port, { url: '/login?user=ann' })
    const home = login.body.toString()
    const cookie = (login.headers['set-cookie'] ?? []).map((text) => text.split(';')[0]).join('; ')
    const call = async (url: string, method = 'GET'): Promise<[number, string]> => {
      const { status, body } = await ask(port, { url, method, headers: { cookie } })
      return [status, body.toString()]
    }
    assert.deepEqual(await call('/slow?wait=100'), [200, home])
    const slow = call('/slow?wait=400', 'POST')
    await new Promise((resolve) => setTimeout(resolve, 100))
    for (let i = 0; i < 5; i++) assert.deepEqual(await call('/quick', 'POST'), [200, home])
    assert.deepEqual(await slow, [200, home])
    assert.deepEqual(await call('/broken?status=500'), [500, home])
    for (const method of ['GET', 'POST'])
      for (let i = 0; i < 5; i++) assert.deepEqual(await call('/quick', method), [200, home])
  })

  it('stays with its stand-in as it would at home: no hedge and no error of the application moves it', async (t) => {
    const origins = await targets(t, (name) => {
      let logins = 0
      return ({ url }, response) => {
        if (url === '/login') logins++
        // Who knows nobody is quick to say so.
        response.statusCode = logins === 0 ? 401 : url === '/broken' ? 500 : 200
        setTimeout(() => response.end(name), url === '/slow' && logins > 0 ? 150 : 0)
      }
    })
    const down = new Set<Target>()
    const { port, app } = await gatewayTo(t, origins, {
      upstream: { ...AFFINITY, failover: { hedge: { after: '20ms' }, retryOn: [500] } },
      use: async (fastify) => {
        fastify.upstreams.addHealthSource({ name: 'test', allows: (target) => !down.has(target) })
      },
    })
    const client = browser(port)
    const home = await client.get('/login')
    const target = app.upstreams
      .upstream('main')
      .targets.find(({ origin }) => origin === origins['abc'.indexOf(home)]) as Target
    down.add(target)
    app.upstreams.changed(target)
    const standIn = await client.get('/login')
    assert.notEqual(standIn, home)
    for (const url of ['/slow', '/broken', '/slow']) assert.equal(await client.get(url), standIn, url)
  })

  it('survives the target’s absence and returns, and begins anew when it is removed', async (t) => {
    const origins = await targets(t)
    const down = new Set<Target>()
    const { port, app } = await gatewayTo(t, origins, {
      upstream: AFFINITY,
      use: async (fastify) => {
        fastify.upstreams.addHealthSource({ name: 'test', allows: (target) => !down.has(target) })
      },
    })
    const main = app.upstreams.upstream('main')
    const client = browser(port)
    const home = await client.get()
    const target = main.targets.find(({ origin }) => origin === origins['abc'.indexOf(home)]) as Target
    down.add(target)
    app.upstreams.changed(target)
    for (let n = 0; n < 6; n++) assert.notEqual(await client.get(), home)
    assert.equal(client.sets, 1, 'the cookie stays while the target may come back')
    down.delete(target)
    app.upstreams.changed(target)
    for (let n = 0; n < 4; n++) assert.equal(await client.get(), home)
    await main.remove(target)
    const next = await client.get()
    assert.notEqual(next, home)
    assert.equal(client.sets, 2)
    for (let n = 0; n < 4; n++) assert.equal(await client.get(), next)
  })

  it('holds at another gateway that has the same secret, whatever the order of targets', async (t) => {
    const origins = await targets(t)
    const one = await gatewayTo(t, origins, { upstream: AFFINITY })
    const two = await gatewayTo(t, origins.toReversed(), { upstream: AFFINITY })
    const client = browser(one.port)
    const home = await client.get()
    const there = browser(two.port)
    there.cookie = client.cookie
    for (let n = 0; n < 4; n++) assert.equal(await there.get(), home)
    assert.equal(there.sets, 0)
  })

  it('takes no cookie that it has not signed', async (t) => {
    const { port } = await gatewayTo(t, await targets(t), { upstream: AFFINITY })
    const client = browser(port)
    await client.get()
    const forged = `${client.cookie.slice(0, -5)}AAAAA`
    const seen = new Set<string>()
    for (let n = 0; n < 3; n++) {
      const other = browser(port)
      other.cookie = forged
      seen.add(await other.get())
      assert.equal(other.sets, 1)
    }
    assert.equal(seen.size, 3, 'round robin')
  })

  it('begins no session with an error, nor with an answer that shared caches may keep', async (t) => {
    const origins = await targets(t, (name) => ({ url }, response) => {
      response.statusCode = url === '/error' ? 500 : 200
      if (url === '/public') response.setHeader('cache-control', 'public, max-age=60')
      if (url === '/own') response.setHeader('set-cookie', ['x=1', 'y=2'])
      response.end(name)
    })
    const { port } = await gatewayTo(t, origins, { upstream: AFFINITY })
    const client = browser(port)
    await client.get('/error')
    await client.get('/public')
    assert.equal(client.sets, 0)
    const { headers } = await ask(port, { url: '/own' })
    assert.deepEqual(
      headers['set-cookie']?.map((text) => text.split('=')[0]),
      ['x', 'y', 'holdfast-session'],
    )
    assert.doesNotMatch(headers['set-cookie']?.[2] ?? '', /127\.0\.0\.1|Secure/)
  })

  it('leaves other upstreams, and what the gateway answers itself, alone', async (t) => {
    const origins = await targets(t)
    const { port } = await gatewayTo(t, origins, {
      upstream: AFFINITY,
      others: { plain: { targets: origins.map((origin) => ({ origin })) } },
      routes: [{ path: '/plain', upstream: 'plain' }],
    })
    for (const url of ['/plain', '/livez', '/a%00b']) {
      assert.equal((await ask(port, { url })).headers['set-cookie'], undefined, url)
    }
  })

  it('wraps zones, a subset and a policy by key, one in another', async (t) => {
    const origins = await targets(t)
    const { port, app } = await gatewayTo(t, origins, {
      upstream: {
        ...AFFINITY,
        targets: origins.map((origin, i) => ({ origin, zone: i === 0 ? 'far' : 'near' })),
        zoneAware: 'near',
        subset: { size: 1, instance: 0, of: 2 },
        loadBalancing: { policy: 'ring-hash', on: { header: 'x-user' } },
      },
    })
    const client = browser(port)
    const home = await client.get('/', { 'x-user': 'u1' })
    assert.notEqual(home, 'a')
    for (let n = 0; n < 5; n++) assert.equal(await client.get('/', { 'x-user': `u${n}` }), home)
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, n) => browser(port).get('/', { 'x-user': `u${n}` })),
    )
    assert.deepEqual(new Set(others), new Set([home]), 'the subset is one of the two near ones')
    assert.equal(
      app.upstreams.upstream('main').targets.every(({ inflight }) => inflight === 0),
      true,
    )
  })
})

describe('the config of sessions', () => {
  const origin = 'http://10.0.0.1'
  const config = (...all: readonly object[]) => ({
    upstreams: Object.fromEntries(
      all.map((sessionAffinity, i) => [`u${i}`, { targets: [{ origin }], sessionAffinity }]),
    ),
    routes: all.map((_, i) => ({ path: `/${i}`, upstream: `u${i}` })),
  })
  const SHOWN = 'tell-nobody'

  for (const [what, affinity, problem] of [
    ['no secret', {}, /secret: is required; set it from the environment/],
    ['an empty list', { secret: [undefined] }, /secret: holds no secret/],
    [
      'a short secret',
      { secret: SHOWN },
      /secret: must have 16 characters or more, has 11; make one with `openssl rand/,
    ],
    ['one of several that is short', { secret: [SECRET, SHOWN] }, /secret: must have 16 characters or more/],
    ['a secret that is no text', { secret: 12345 }, /secret: must be text or a list of texts/],
    [
      'a ttl that is none',
      { secret: SECRET, ttl: '1 hour' },
      /ttl: must be "session" or a duration .* is "1 hour"/,
    ],
    ['a ttl longer than browsers keep', { secret: SECRET, ttl: '500d' }, /ttl: must be .* to "400d"/],
    [
      'sameSite none without TLS',
      { secret: SECRET, sameSite: 'none', secure: false },
      /secure: false does not go with sameSite "none"/,
    ],
    [
      'a prefix that browsers refuse',
      { secret: SECRET, cookie: '__Host-s', path: '/a' },
      /path: must be "\/"[\s\S]*secure: must be true, since/,
    ],
    ['a name that is none', { secret: SECRET, cookie: 'a b' }, /cookie: is no name for a cookie/],
    [
      'a path that is none',
      { secret: SECRET, path: '/; Domain=evil' },
      /path: .* is not of the right form; write a path/,
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(buildGateway(config(affinity)), (error: Error) => {
        assert.match(error.message, problem)
        assert.ok(
          !error.message.includes(SHOWN) && !error.message.includes(SECRET),
          'a message shows a secret',
        )
        return true
      })
    })
  }

  it('refuses two upstreams that would overwrite each other’s cookie, and takes them on two hosts or paths', async (t) => {
    const one = { secret: SECRET }
    await assert.rejects(
      buildGateway(config(one, one)),
      /u1\.sessionAffinity\.cookie: upstream "u0" has a cookie of this name/,
    )
    const twoHosts = config(one, one)
    const routes = twoHosts.routes.map((route, i) => ({ ...route, host: `h${i}.example.com` }))
    for (const fine of [
      { ...twoHosts, routes },
      config(one, { ...one, cookie: 'b' }),
      config(one, { ...one, path: '/1' }),
    ]) {
      const app = await buildGateway(fine)
      t.after(() => app.close())
    }
    const wild = routes.map((route, i) => (i === 0 ? { ...route, host: '*.example.com' } : route))
    await assert.rejects(buildGateway({ ...twoHosts, routes: wild }), /has a cookie of this name/)
  })
})
