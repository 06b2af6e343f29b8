/** External authorization: a service decides, and nothing that happens to it opens a door that is to stay shut. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { ExternalAuthorizer } from '../../plugins/authorization/external/external.ts'
import { NoAnswerError } from '../../plugins/authorization/external/no-answer.ts'
import type { Collector } from '../../plugins/upstreams/measures.ts'
import { ServiceBreaker } from '../../plugins/upstreams/service-breaker.ts'
import { startGateway } from '../support/gateway.ts'
import { type Answer, deadOrigin, startTarget } from '../support/target.ts'
import { ask, eventually, idle } from '../transport/support.ts'

async function setup(t: TestContext, answer: Answer, external: object, services = 1, more = {}) {
  const target = await startTarget(t)
  const authz = await Promise.all(Array.from({ length: services }, () => startTarget(t, answer)))
  const [first] = authz
  assert.ok(first !== undefined)
  const log: string[] = []
  const config = {
    upstreams: {
      users: { targets: [{ origin: target.origin }] },
      authz: { targets: authz.map(({ origin }) => ({ origin })), failover: { hedge: false } },
      ...more,
    },
    routes: [{ name: 'all', path: '/*', upstream: 'users', authorization: { external } }],
  }
  const gateway = await startGateway(config as object, { log: (line) => log.push(line) })
  // Not waited for: a closing gateway lingers, and the next test need not.
  t.after(() => {
    gateway.app.server.closeAllConnections()
    void gateway.app.close()
  })
  const count = (result: string): number => {
    const collector = gateway.app.upstreams.collectors.find(
      (one) => one.name === 'authorization_external_total',
    )
    let found = 0
    ;(collector as Collector).collect((value, _route, label) => {
      if (label === result) found = value
    })
    return found
  }
  return { target, authz, first, gateway, port: gateway.port, count, log }
}

const allow: Answer = (_seen, response) => void response.end()

describe('a service is asked', () => {
  it('by method, host, path and address, and with no more headers than it may see', async (t) => {
    const { target, first, port } = await setup(t, allow, {
      upstream: 'authz',
      path: '/check?x=1',
      onFailure: 'deny',
    })
    const headers = {
      host: 'api.example.com',
      authorization: 'Bearer t',
      cookie: 'a=1',
      'x-secret': 's',
      'x-forwarded-method': 'GET',
      'x-forwarded-uri': '/public',
    }
    const response = await ask(port, { method: 'POST', url: '/a/%2e/b?q=1', headers, body: 'private' })
    assert.equal(response.status, 200)
    const [seen] = first.seen
    assert.ok(seen !== undefined)
    assert.deepEqual([seen.method, seen.url, seen.body], ['GET', '/check?x=1', ''])
    const { connection: _c, 'x-request-id': id, host: _h, ...shown } = seen.headers
    assert.ok(id)
    assert.deepEqual(shown, {
      authorization: 'Bearer t',
      cookie: 'a=1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'api.example.com',
      'x-forwarded-method': 'POST',
      'x-forwarded-proto': 'http',
      'x-forwarded-uri': '/a/b?q=1',
    })
    assert.equal(target.seen[0]?.body, 'private')
  })

  it('and its 401 and 403 are the client’s, with the headers that it may see', async (t) => {
    const { target, port, count } = await setup(
      t,
      ({ headers }, response) => {
        response.writeHead(Number(headers['x-want']), {
          'www-authenticate': 'Bearer realm="them"',
          'x-reason': 'no',
          'x-inside': '10.0.0.1',
          'set-cookie': ['a=1', 'b=2'],
        })
        response.end('inside')
      },
      { upstream: 'authz', headers: ['x-want'], onFailure: 'allow', toClient: ['x-reason', 'set-cookie'] },
    )
    for (const status of [401, 403]) {
      const response = await ask(port, { headers: { 'x-want': status } })
      assert.equal(response.status, status)
      assert.equal(response.headers['www-authenticate'], 'Bearer realm="them"')
      assert.equal(response.headers['x-reason'], 'no')
      assert.deepEqual(response.headers['set-cookie'], ['a=1', 'b=2'])
      assert.equal(response.headers['x-inside'], undefined)
      assert.doesNotMatch(response.body.toString(), /inside/)
    }
    assert.equal(target.seen.length, 0)
    assert.equal(count('denied'), 2)
  })

  it('and where it sends clients, to log in, they are sent if they may see `location`', async (t) => {
    const location = 'https://id.example.com/login?rd=%2Fa'
    const { target, port, count } = await setup(
      t,
      (_seen, response) => void response.writeHead(302, { location, 'set-cookie': 'csrf=1' }).end('inside'),
      { upstream: 'authz', onFailure: 'allow', toClient: ['location', 'set-cookie'], cache: { ttl: '1m' } },
    )
    for (let i = 0; i < 2; i++) {
      const { status, headers, body } = await ask(port, { url: '/a' })
      assert.deepEqual(
        [status, headers['location'], headers['set-cookie'], headers['cache-control'], body.length],
        [302, location, ['csrf=1'], 'no-store', 0],
      )
    }
    assert.equal(target.seen.length, 0)
    assert.deepEqual([count('denied'), count('cached')], [2, 0])
  })

  it('and what it says is told to the upstream, in place of what a client says in any spelling', async (t) => {
    const { target, port } = await setup(
      t,
      ({ headers }, response) => {
        if (headers['x-want'] === 'name') response.setHeader('x-user', 'ann')
        response.end()
      },
      { upstream: 'authz', headers: ['x-want'], onFailure: 'deny', toUpstream: ['x-user'] },
    )
    const forged = { 'X-User': 'root', x_user: 'root', 'x.user': 'root', connection: 'close, X-User, x_user' }
    await ask(port, { headers: { ...forged, 'x-want': 'name' } })
    await ask(port, { headers: forged })
    const told = target.seen.map(({ headers }) => [headers['x-user'], headers['x_user'], headers['x.user']])
    assert.deepEqual(told, [
      ['ann', undefined, undefined],
      [undefined, undefined, undefined],
    ])
  })

  it('at a URL too', async (t) => {
    const service = await startTarget(t)
    const { port, target } = await setup(t, allow, { url: `${service.origin}/check`, onFailure: 'deny' })
    assert.equal((await ask(port)).status, 200)
    assert.equal(service.seen[0]?.url, '/check')
    assert.equal(target.seen.length, 1)
  })
})

describe('a service that fails', () => {
  const FAULTS: [string, Answer | 'dead'][] = [
    ['answers 500', (_seen, response) => void response.writeHead(500).end()],
    ['says nothing', () => {}],
    ['hangs up', (_seen, _response, request) => void request.socket.destroy()],
    ['speaks no HTTP', (_seen, _response, request) => void request.socket.end('200 come in\r\n\r\n')],
    [
      'switches protocols',
      (_seen, _response, request) =>
        void request.socket.write('HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ],
    ['is not there', 'dead'],
  ]
  for (const [what, fault] of FAULTS) {
    it(`one that ${what} opens no door, unless the config says so`, async (t) => {
      const where = fault === 'dead' ? { url: await deadOrigin() } : { upstream: 'authz' }
      const answer = fault === 'dead' ? allow : fault
      const shut = await setup(t, answer, { ...where, timeout: '200ms', onFailure: 'deny' })
      const response = await ask(shut.port)
      assert.equal(response.status, 503)
      assert.equal(JSON.parse(response.body.toString()).code, 'GTW_AUTHORIZATION_UNAVAILABLE')
      assert.ok(response.headers['retry-after'])
      assert.equal(shut.target.seen.length, 0)
      await idle(shut.gateway)

      const open = await setup(t, answer, {
        ...where,
        timeout: '200ms',
        onFailure: 'allow',
        toUpstream: ['x-user'],
      })
      assert.equal((await ask(open.port, { headers: { 'x-user': 'root' } })).status, 200)
      assert.equal(open.target.seen[0]?.headers['x-user'], undefined)
      assert.equal(open.count('failed'), 1)
    })
  }

  for (const status of [300, 302, 400, 404, 407, 429, 431]) {
    it(`is not what one that answers ${status} is: a client that brings it about has opened no door`, async (t) => {
      const { port, target, first, count, log } = await setup(
        t,
        ({ headers }, response) => {
          const wanted = Number(headers['x-want'] ?? 200)
          response.writeHead(wanted, { location: 'https://inside.example/' }).end()
        },
        { upstream: 'authz', headers: ['x-want'], onFailure: 'allow', cache: { ttl: '1m' } },
      )
      for (let i = 0; i < 7; i++) {
        const refused = await ask(port, { headers: { 'x-want': status } })
        assert.equal(refused.status, 403)
        assert.equal(JSON.parse(refused.body.toString()).code, 'GTW_FORBIDDEN')
        assert.equal(refused.headers['location'], undefined)
      }
      assert.equal(target.seen.length, 0)
      assert.equal((await ask(port)).status, 200, 'others are neither shut out nor let in unasked')
      assert.equal(first.seen.length, 8, 'nor is it kept: it was no word on the caller')
      assert.deepEqual([count('denied'), count('failed')], [7, 0])
      assert.match(
        log.join(''),
        new RegExp(`"cause":"the service that authorizes answered with status ${status}"`),
      )
    })
  }

  it('is not asked what is too large for it, nor is anybody let in for that', async (t) => {
    const { port, target, first, count } = await setup(t, allow, {
      upstream: 'authz',
      onFailure: 'allow',
      questionLimit: '2KiB',
    })
    const long = 'x'.repeat(1200)
    for (let i = 0; i < 7; i++) {
      const refused = await ask(port, { url: `/${long}`, headers: { cookie: long } })
      assert.equal(refused.status, 431)
    }
    assert.deepEqual([target.seen.length, first.seen.length, count('denied')], [0, 0, 7])
    assert.equal((await ask(port, { url: `/${long}` })).status, 200)
    assert.equal((await ask(port, { headers: { 'x-other': `${long}${long}` } })).status, 200)
  })

  it('is not what an authorizer is that cannot put the question: nobody is let in for that', async () => {
    const breaker = new ServiceBreaker(
      { failures: 1, firstMs: 1000, longestMs: 5000 },
      { now: () => 0, random: () => 0 },
    )
    const config = {
      headers: [],
      toUpstream: [],
      toClient: [],
      onFailure: 'allow',
      concurrency: 1,
      questionLimit: 8192,
    }
    let broken = true
    const external = new ExternalAuthorizer(config as never, {
      breaker,
      now: () => 0,
      digest: (text) => text,
      async ask() {
        if (broken) throw new TypeError('Invalid character in header content')
        throw new NoAnswerError('ECONNREFUSED')
      },
      failed() {},
    })
    const request = {
      method: 'GET',
      url: '/',
      protocol: 'http',
      ip: '127.0.0.1',
      id: '1',
      headers: {},
      raw: { headers: {} },
      identity: null,
    }
    const authorize = async () => external.authorize(request as never, {} as never)
    await assert.rejects(authorize, TypeError)
    assert.equal(breaker.open, false)
    broken = false
    assert.equal(await authorize(), true)
    assert.equal(breaker.open, true)
  })

  it('is left alone after five failures, and asked again by one request', async (t) => {
    let well = false
    const { first, port, target, count } = await setup(
      t,
      (_seen, response) => void response.writeHead(well ? 200 : 500).end(),
      { upstream: 'authz', onFailure: 'deny' },
    )
    for (let i = 0; i < 20; i++) assert.equal((await ask(port)).status, 503)
    assert.equal(first.seen.length, 5)
    assert.equal(count('failed'), 20)
    well = true
    let status = 0
    while (status !== 200) ({ status } = await ask(port))
    assert.equal(target.seen.length, 1)
    assert.equal((await ask(port)).status, 200)
  })

  it('on one target, is asked on another, and the registry hears of both', async (t) => {
    let calls = 0
    const { port, gateway } = await setup(
      t,
      (_seen, response) => {
        // The first of two to be asked is frozen.
        if (++calls > 1) response.end()
      },
      { upstream: 'authz', timeout: '2s', onFailure: 'deny' },
      2,
    )
    const outcomes: string[] = []
    gateway.app.upstreams.subscribe(({ upstream }, outcome) => {
      if (upstream === 'authz') outcomes.push(outcome.kind === 'failed' ? outcome.reason : outcome.kind)
    })
    // It gets half of the time, the other one the rest.
    assert.equal((await ask(port)).status, 200)
    assert.equal(calls, 2)
    assert.deepEqual(outcomes, ['timeout', 'answered'])
    await idle(gateway)
  })

  it('so that one which has gone is told from one that works, and is not asked for each request', async (t) => {
    const dead = await deadOrigin()
    const service = await startTarget(t, allow)
    const { port, gateway } = await setup(t, allow, { upstream: 'more', onFailure: 'deny' }, 1, {
      more: { targets: [{ origin: dead }, { origin: service.origin }] },
    })
    const failed = { connect: 0 }
    gateway.app.upstreams.subscribe((_target, outcome) => {
      if (outcome.kind === 'failed' && outcome.reason === 'connect') failed.connect++
    })
    for (let i = 0; i < 40; i++) assert.equal((await ask(port)).status, 200)
    // Ejected after five in a row, as Envoy does.
    assert.equal(failed.connect, 5)
  })

  it('is not asked by more requests at once than it may be', async (t) => {
    let free = (): void => {}
    const held = new Promise<void>((resolve) => {
      free = resolve
    })
    const { port, first } = await setup(
      t,
      async (_seen, response) => {
        await held
        response.end()
      },
      { upstream: 'authz', timeout: '30s', onFailure: 'allow', concurrency: 2 },
    )
    const waiting = [ask(port), ask(port)]
    await eventually(() => first.seen.length === 2, 'two questions')
    // Whoever floods it would else let everybody in.
    assert.equal((await ask(port)).status, 503)
    free()
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ status }) => status),
      [200, 200],
    )
  })
})

describe('kept answers', () => {
  const decide: Answer = ({ headers }, response) => {
    if (headers['authorization'] === 'no-store') response.setHeader('cache-control', 'no-store')
    response.setHeader('x-user', String(headers['authorization']))
    response.writeHead(headers['authorization'] === 'bad' ? 403 : 200).end()
  }

  it('are for requests that the service would be shown alike, and for no others', async (t) => {
    const { port, first, target, count } = await setup(t, decide, {
      upstream: 'authz',
      onFailure: 'deny',
      toUpstream: ['x-user'],
      cache: { ttl: '1m' },
    })
    const get = async (authorization: string, url = '/', method = 'GET') =>
      (await ask(port, { url, method, headers: { authorization } })).status
    assert.deepEqual([await get('ann'), await get('ann')], [200, 200])
    assert.equal(first.seen.length, 1)
    assert.deepEqual(
      target.seen.map(({ headers }) => headers['x-user']),
      ['ann', 'ann'],
    )
    assert.deepEqual([await get('bad'), await get('bad')], [403, 403])
    assert.equal(first.seen.length, 2)
    await get('bob')
    await get('ann', '/other')
    await get('ann', '/?a')
    await get('ann', '/', 'DELETE')
    assert.equal(first.seen.length, 6)
    await get('no-store')
    await get('no-store')
    assert.equal(first.seen.length, 8)
    assert.equal(count('cached'), 2)
  })

  it('are no one else’s, though the credential was taken off: the service is told who calls', async (t) => {
    const authz = await startTarget(t, ({ headers }, response) => {
      response.writeHead(headers['x-identity-id'] === 'consumer:ann' ? 200 : 403).end()
    })
    const target = await startTarget(t)
    const hashOf = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`
    const external = { url: authz.origin, onFailure: 'deny', cache: { ttl: '1m', callerOnly: true } }
    const gateway = await startGateway({
      auth: { 'api-key': {} },
      consumers: { ann: { apiKeys: [hashOf('a')] }, bob: { apiKeys: [hashOf('b')] } },
      upstreams: { users: { targets: [{ origin: target.origin }] } },
      routes: [
        {
          path: '/*',
          upstream: 'users',
          auth: { accept: 'api-key', optional: true },
          authorization: { external },
        },
      ],
    } as object)
    t.after(() => {
      gateway.app.server.closeAllConnections()
      void gateway.app.close()
    })
    const get = async (key: string) =>
      (await ask(gateway.port, { headers: { 'x-api-key': key, 'X-Identity-Id': 'consumer:ann' } })).status
    assert.deepEqual([await get('a'), await get('b'), await get('a'), await get('b')], [200, 403, 200, 403])
    assert.equal(authz.seen.length, 2)
    // Nobody says it of himself.
    assert.equal((await ask(gateway.port, { headers: { 'x-identity-id': 'consumer:ann' } })).status, 403)
    assert.equal(authz.seen[2]?.headers['x-identity-id'], undefined)
  })

  it('may be the caller’s for all paths, where the config says so', async (t) => {
    const { port, first } = await setup(t, decide, {
      upstream: 'authz',
      onFailure: 'deny',
      cache: { ttl: '1m', callerOnly: true },
    })
    for (const url of ['/', '/a', '/b']) await ask(port, { url, headers: { authorization: 'ann' } })
    assert.equal(first.seen.length, 1)
    await ask(port, { headers: { cookie: 'ann' } })
    assert.equal(first.seen.length, 2)
  })

  it('are asked for once by many at the same time', async (t) => {
    const { port, first } = await setup(t, (_seen, response) => setTimeout(() => response.end(), 50), {
      upstream: 'authz',
      onFailure: 'deny',
      timeout: '10s',
      cache: { ttl: '1m' },
    })
    await Promise.all(Array.from({ length: 20 }, () => ask(port)))
    assert.equal(first.seen.length, 1)
  })
})

it('the breaker opens, probes one at a time and waits longer each time', () => {
  let now = 0
  const breaker = new ServiceBreaker(
    { failures: 5, firstMs: 1000, longestMs: 5000 },
    { now: () => now, random: () => 0 },
  )
  const fail = () => {
    assert.equal(breaker.admit(), true)
    return breaker.failed()
  }
  assert.deepEqual([fail(), fail(), fail(), fail(), fail()], [false, false, false, false, true])
  // Those under way when it opened come in late, and change nothing.
  breaker.failed()
  for (const waitMs of [1000, 2000, 4000, 5000, 5000]) {
    now += waitMs - 1
    assert.equal(breaker.admit(), false)
    now += 1
    assert.equal(breaker.admit(), true)
    assert.equal(breaker.admit(), false)
    breaker.failed()
  }
  now += 5000
  assert.equal(breaker.admit(), true)
  // Who was let through and could not ask after all leaves it to the next one.
  breaker.undecided()
  assert.deepEqual([breaker.open, breaker.admit(), breaker.admit()], [true, true, false])
  breaker.succeeded()
  assert.equal(breaker.open, false)
  assert.deepEqual([fail(), fail(), fail(), fail()], [false, false, false, false])
})
