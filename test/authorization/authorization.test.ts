import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import gateway from '../../app.ts'
import { claimHolds } from '../../plugins/authorization/demands.ts'
import { methodsOf } from '../../plugins/authorization/methods.ts'
import type { ConfigError } from '../../plugins/config/errors.ts'
import { integer, object, withDefault } from '../../plugins/config/kit.ts'
import { serverOptions } from '../../plugins/config/server.ts'
import { claimAt } from '../../plugins/upstreams/identity.ts'
import type { Collector } from '../../plugins/upstreams/measures.ts'
import { readGateway } from '../support/config.ts'
import { buildGateway } from '../support/gateway.ts'
import { as, believeTests, TEST_AUTH } from '../support/identity.ts'
import { startTarget, type TestTarget } from '../support/target.ts'

const auth = { accept: 'jwt', optional: true }

interface Setup {
  readonly target: TestTarget
  readonly app: FastifyInstance
  readonly log: string[]
}

async function setup(
  t: { after(run: () => unknown): void },
  routes: readonly object[],
  more = {},
): Promise<Setup> {
  const target = await startTarget(t as never)
  const log: string[] = []
  const app = await buildGateway(
    {
      auth: TEST_AUTH,
      upstreams: { users: { targets: [{ origin: target.origin }] } },
      routes: routes.map((route) => ({ upstream: 'users', ...route })),
      ...more,
    },
    { use: believeTests, log: (line) => log.push(line) },
  )
  t.after(() => app.close())
  return { target, app, log }
}

export function counts(app: FastifyInstance, name: string): Record<string, number> {
  const found: Record<string, number> = {}
  const collector = app.upstreams.collectors.find((one) => one.name === name) as Collector
  collector.collect((value, ...labels) => {
    if (value > 0) found[labels.join(' ')] = value
  })
  return found
}

describe('authorization', () => {
  let at: Setup
  const ends: (() => unknown)[] = []
  before(async () => {
    at = await setup({ after: (run) => ends.push(run) }, [
      { path: '/scopes', auth, authorization: { scopes: ['a', 'b'] } },
      { path: '/any-scope', auth, authorization: { anyScope: ['a', 'b'] } },
      { path: '/roles', auth, authorization: { roles: ['admin', 'root'] } },
      { path: '/all-roles', auth, authorization: { allRoles: ['admin', 'root'] } },
      {
        path: '/claims',
        auth,
        authorization: { claims: { 'org.id': { equals: 'acme' }, groups: { contains: 'x' } } },
      },
      { path: '/when', auth, authorization: { when: 'identity.claims.level >= 3' } },
      { path: '/text', auth, authorization: { when: 'identity.claims.text' } },
      {
        path: '/safe-when',
        auth,
        authorization: { when: "request.method != 'GET' || 'read' in identity.scopes" },
      },
      { path: '/open-when', authorization: { when: 'request.headers["x-a"] == "1"' } },
      { path: '/strict', auth: 'jwt', authorization: { scopes: ['a'] } },
      {
        path: '/methods',
        auth,
        authorization: {
          scopes: ['read'],
          methods: { POST: { scopes: ['write'] }, DELETE: { roles: ['admin'] }, GET: { roles: ['reader'] } },
        },
      },
    ])
  })
  after(() => Promise.all(ends.map((end) => end())))

  const status = async (
    url: string,
    identity?: Parameters<typeof as>[0],
    more: object = {},
  ): Promise<number> => {
    const seen = at.target.seen.length
    const { headers = {} } = more as { headers?: object }
    const response = await at.app.inject({
      url,
      ...more,
      headers: { ...(identity === undefined ? {} : as(identity)), ...headers },
    } as never)
    // Whatever is not a yes never reaches the upstream.
    assert.equal(at.target.seen.length - seen, response.statusCode === 200 ? 1 : 0, url)
    return response.statusCode
  }

  it('by scopes', async () => {
    assert.equal(await status('/scopes', { scopes: ['b', 'a', 'c'] }), 200)
    for (const scopes of [[], ['a'], ['A', 'b'], ['a b'], ['a,b']])
      assert.equal(await status('/scopes', { scopes }), 403)
    assert.equal(await status('/any-scope', { scopes: ['b'] }), 200)
    assert.equal(await status('/any-scope', { scopes: ['c'] }), 403)
  })

  it('and the access line says which demand was not met', async () => {
    const cause = async (url: string, identity?: Parameters<typeof as>[0], more: object = {}) => {
      at.log.length = 0
      await status(url, identity, more)
      return at.log.map((line) => JSON.parse(line)).find((line) => 'cause' in line)?.cause
    }
    const deny: [why: string, ...Parameters<typeof cause>][] = [
      ['scopes: lacks b', '/scopes', { scopes: ['a'] }],
      ['anyScope: has none of a, b', '/any-scope', { scopes: ['c'] }],
      ['roles: has none of admin, root', '/roles', {}],
      ['allRoles: lacks root', '/all-roles', { roles: ['admin'] }],
      ['claims: groups is not as demanded', '/claims', { claims: { org: { id: 'acme' } } }],
      ['when: is not true', '/when', { claims: { level: 2 } }],
      ['nobody knows who calls', '/roles'],
      ['methods.POST: scopes: lacks write', '/methods', { scopes: ['read'] }, { method: 'POST' }],
    ]
    for (const [why, ...call] of deny) assert.equal(await cause(...call), why)
  })

  it('by roles', async () => {
    assert.equal(await status('/roles', { roles: ['root'] }), 200)
    assert.equal(await status('/roles', { roles: ['user'], scopes: ['root'] }), 403)
    assert.equal(await status('/all-roles', { roles: ['root', 'admin'] }), 200)
    assert.equal(await status('/all-roles', { roles: ['root'] }), 403)
  })

  it('by claims', async () => {
    assert.equal(await status('/claims', { claims: { org: { id: 'acme' }, groups: ['x', 'y'] } }), 200)
    for (const claims of [
      {},
      { org: { id: 'acme' } },
      { org: { id: ['acme'] }, groups: ['x'] },
      { org: { id: 'acme' }, groups: 'x' },
      { org: 'acme', groups: ['x'] },
      { org: null, groups: ['x'] },
    ])
      assert.equal(await status('/claims', { claims: claims as never }), 403, JSON.stringify(claims))
  })

  it('by an expression; one that has no value or another than true is a no', async () => {
    assert.equal(await status('/when', { claims: { level: 3 } }), 200)
    for (const claims of [{}, { level: 2 }, { level: '3' }, { level: null }, { level: [3] }])
      assert.equal(await status('/when', { claims }), 403, JSON.stringify(claims))
    for (const text of ['true', 1, [true], {}]) assert.equal(await status('/text', { claims: { text } }), 403)
    assert.equal(await status('/text', { claims: { text: true } }), 200)
    assert.equal(await status('/open-when', undefined, { headers: { 'x-a': '1' } }), 200)
    assert.equal(await status('/open-when'), 403)
  })

  it('a broken expression is logged, and not for each request', async () => {
    const told = () =>
      at.log.filter((line) => line.includes('could not be decided') && line.includes('"/when"'))
    for (let i = 0; i < 20; i++) await status('/when', {})
    assert.equal(told().length, 1)
  })

  it('by method, in addition; HEAD as GET, and a method that hides in a header or the query', async () => {
    const reader = { scopes: ['read'], roles: ['reader'] }
    assert.equal(await status('/methods', reader), 200)
    assert.equal(await status('/methods', { scopes: ['read'] }), 403)
    assert.equal(await status('/methods', { scopes: ['read'] }, { method: 'HEAD' }), 403)
    assert.equal(await status('/methods', reader, { method: 'HEAD' }), 200)
    assert.equal(await status('/methods', { scopes: ['read'] }, { method: 'PUT' }), 200)
    const writer = { scopes: ['read', 'write'] }
    assert.equal(await status('/methods', writer, { method: 'POST' }), 200)
    assert.equal(await status('/methods', writer, { method: 'DELETE' }), 403)
    for (const name of [
      'x-http-method-override',
      'X-HTTP-Method',
      'x-method-override',
      'x_http_method_override',
    ])
      assert.equal(
        await status('/methods', writer, { method: 'POST', headers: { [name]: 'delete' } }),
        403,
        name,
      )
    for (const query of ['?_method=DELETE', '?a=1&%5fm%65thod=delete', '?_method=PUT&_method=%44ELETE'])
      assert.equal(await status(`/methods${query}`, writer, { method: 'POST' }), 403, query)
    assert.equal(await status('/methods?_method=PATCH', writer, { method: 'POST' }), 200)
  })

  it('HEAD was let in where an expression about the method forbids GET', async () => {
    for (const method of ['GET', 'HEAD'] as const) {
      assert.equal(await status('/safe-when', {}, { method }), 403, method)
      assert.equal(await status('/safe-when', { scopes: ['read'] }, { method }), 200, method)
    }
    assert.equal(await status('/safe-when', {}, { method: 'POST' }), 200)
    assert.equal(await status('/safe-when?_method=get', {}, { method: 'POST' }), 403)
  })

  it('tells a bearer whose scopes lack which would do (RFC 6750, 3.1)', async () => {
    const ask = async (url: string, more: object) => (await at.app.inject({ url, headers: as(more) })).headers
    const headers = await ask('/scopes', { scopes: ['a'] })
    assert.equal(
      headers['www-authenticate'],
      'Bearer realm="gateway", error="insufficient_scope", scope="a b"',
    )
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal((await ask('/scopes', { kind: 'api-key' }))['www-authenticate'], undefined)
    assert.equal((await ask('/roles', {}))['www-authenticate'], undefined)
  })

  it('asks nobody in particular to say who it is, and others for nothing', async () => {
    const nobody = await at.app.inject('/scopes')
    assert.equal(nobody.statusCode, 401)
    assert.equal(nobody.headers['www-authenticate'], 'Bearer realm="gateway"')
    assert.equal(nobody.json().code, 'GTW_UNAUTHENTICATED')
    assert.equal((await at.app.inject('/strict')).statusCode, 401)
    const known = await at.app.inject({ url: '/roles', headers: as({ roles: ['x'], name: 'mallory' }) })
    assert.equal(known.statusCode, 403)
    assert.match(String(known.headers['content-type']), /problem\+json/)
    assert.deepEqual(
      { ...(known.json() as object), requestId: '' },
      {
        type: 'about:blank',
        title: 'Forbidden',
        status: 403,
        detail: 'This is not allowed',
        code: 'GTW_FORBIDDEN',
        requestId: '',
      },
    )
  })

  it('by what a token says, as authentication has read it', async () => {
    const token = (scope: string) =>
      new SignJWT({ scope })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer('https://id.example.com/')
        .setAudience('test')
        .setSubject('ann')
        .setExpirationTime('5m')
        .sign(Buffer.from('x'.repeat(32)))
    const ask = async (scope: string) =>
      at.app.inject({ url: '/scopes', headers: { authorization: `Bearer ${await token(scope)}` } })
    assert.equal((await ask('b a')).statusCode, 200)
    const lacking = await ask('a')
    assert.equal(lacking.statusCode, 403)
    assert.match(String(lacking.headers['www-authenticate']), /error="insufficient_scope", scope="a b"/)
  })

  it('counts what was decided', () => {
    const found = counts(at.app, 'authorization_decisions_total')
    assert.ok((found['/scopes allowed'] as number) >= 1 && (found['/scopes denied'] as number) >= 5)
    assert.ok((found['/when failed'] as number) >= 20)
  })
})

describe('an authorizer of a plugin', () => {
  const kinds = {
    good: () => () => true,
    slow: () => async () => true,
    no: () => () => false,
    odd: () => () => 'yes',
    empty: () => () => undefined,
    throws: () => () => {
      throw new Error('a bug at 10.0.0.1')
    },
    rejects: () => () => Promise.reject(new Error('a bug')),
  }

  it('lets pass with true alone, and anything else never', async (t) => {
    const target = await startTarget(t)
    const { app } = await withKinds(t, target, kinds)
    const statuses: Record<string, number> = {}
    for (const kind of Object.keys(kinds)) {
      const response = await app.inject(`/${kind}`)
      statuses[kind] = response.statusCode
      assert.doesNotMatch(response.body, /bug|10\.0/)
    }
    assert.deepEqual(statuses, {
      ...{ good: 200, slow: 200, no: 403, odd: 403, empty: 403, throws: 403, rejects: 403 },
    })
    assert.equal(target.seen.length, 2)
    assert.equal((await app.inject('/good-and-no')).statusCode, 403)
    assert.throws(
      () => app.defineAuthorizer('late' as never, (() => () => true) as never),
      /"late" comes too late/,
    )
  })

  it('of one’s own have their options checked at the start, all of them, and read with defaults', async (t) => {
    const target = await startTarget(t)
    const route = (path: string, custom: object) => ({ path, upstream: 'users', authorization: { custom } })
    const kinds = { good: () => () => true, no: () => () => false }
    const { app } = await withKinds(t, target, kinds, [route('/hours', { hours: { from: 9 } })])
    assert.equal((await app.inject('/hours')).statusCode, 200, 'the default is there')
    const wrong = withKinds(t, target, kinds, [
      route('/a', { hours: { form: 9 } }),
      route('/b', { hours: { from: '9' }, good: { better: true } }),
      route('/c', { hours: { from: 9, to: 25 } }),
      route('/d', { hours: { from: 9, to: undefined } }),
    ])
    await assert.rejects(wrong, (error: Error) => {
      for (const line of [
        'routes[3].authorization.custom.hours.form: unknown key; did you mean "from"',
        'routes[3].authorization.custom.hours.from: is required',
        'routes[4].authorization.custom.hours.from: must be a whole number',
        'routes[4].authorization.custom.good: takes no options, but "better" is set; take it out',
        'routes[5].authorization: there is no such hour',
        'routes[6].authorization.custom.hours.to: is undefined, as a variable is that is not set',
      ])
        assert.ok(error.message.includes(line), `${line} in ${error.message}`)
      return true
    })
  })
})

/** Kinds have to be there before the config is checked, as those of a plugin in `plugins/` are. */
async function withKinds(
  t: { after(run: () => unknown): void },
  target: TestTarget,
  kinds: object,
  more: readonly object[] = [],
) {
  const names = Object.keys(kinds)
  const loaded = await readGateway(
    {
      upstreams: { users: { targets: [{ origin: target.origin }] } },
      routes: [
        ...names.map((name) => ({
          path: `/${name}`,
          upstream: 'users',
          authorization: { custom: { [name]: {} } },
        })),
        { path: '/good-and-no', upstream: 'users', authorization: { custom: { good: {}, no: {} } } },
        ...more,
      ],
    },
    'test.config.ts',
  )
  const app = Fastify({
    ...serverOptions(loaded.config),
    logger: false,
  } as object) as unknown as FastifyInstance
  // As soon as it is decorated: autoload's other plugins do so in their own time.
  const define = (): void => {
    for (const [name, create] of Object.entries(kinds)) app.defineAuthorizer(name as never, create as never)
    app.defineAuthorizer(
      'hours' as never,
      (({ to }: { to: number }) => {
        if (to > 24) throw new Error('there is no such hour')
        return () => to === 17
      }) as never,
      object({ from: integer(), to: withDefault(integer(), 17) }) as never,
    )
  }
  const decorate = app.decorate.bind(app)
  app.decorate = ((name: string, value: never) => {
    const result = decorate(name, value)
    if (name === 'defineAuthorizer') define()
    return result
  }) as never
  await app.register(gateway, { gateway: loaded })
  t.after(() => app.close())
  return { app }
}

describe('what is refused at the start', () => {
  const WRONG: [string, object, RegExp][] = [
    ['nothing demanded', { authorization: {} }, /authorization: demands nothing/],
    ['no rules for a method', { authorization: { methods: { GET: {} } } }, /methods\.GET: demands nothing/],
    [
      'nobody asked',
      { authorization: { scopes: ['a'] } },
      /authorization\.scopes: needs to know who calls.*auth: 'jwt'/,
    ],
    [
      'nobody asked, by method',
      { authorization: { methods: { GET: { roles: ['a'] } } } },
      /methods\.GET\.roles: needs/,
    ],
    [
      'nobody asked, in an expression',
      { authorization: { when: 'identity.name == "a"' } },
      /when: needs to know/,
    ],
    [
      'an expression',
      { auth, authorization: { when: 'identty.name == "a"' } },
      /when: there is no "identty" here/,
    ],
    [
      'what is never true',
      { authorization: { when: "'false'" } },
      /when: has to be true or false, and is of the type string/,
    ],
    ['its syntax', { authorization: { methods: { GET: { when: 'a &&' } } } }, /methods\.GET\.when: found/],
    [
      'an unknown kind',
      { authorization: { custom: { nope: {} } } },
      /custom\.nope: no authorizer is called "nope"/,
    ],
    [
      'a method that is not taken',
      { auth, methods: ['GET'], authorization: { methods: { POST: { roles: ['a'] } } } },
      /takes no POST/,
    ],
    [
      'a claim without a demand',
      { auth, authorization: { claims: { a: {} } } },
      /claims\.a: demands nothing/,
    ],
    ['a scope with a blank', { auth, authorization: { scopes: ['a b'] } }, /not of the right form/],
    ['an unknown key', { auth, authorization: { scope: ['a'] } }, /unknown key; did you mean "scopes"/],
    [
      'external without onFailure',
      { authorization: { external: { url: 'http://a/' } } },
      /onFailure: is required/,
    ],
    [
      'external asking nobody',
      { authorization: { external: { onFailure: 'deny' } } },
      /one of `upstream` and `url`/,
    ],
    [
      'external passing on Host',
      { authorization: { external: { url: 'http://a/', onFailure: 'deny', toUpstream: ['host'] } } },
      /"host" belongs/,
    ],
    [
      'external over HTTP/2',
      { authorization: { external: { upstream: 'h2', onFailure: 'deny' } } },
      /spoken to in HTTP\/2/,
    ],
    [
      'one answer for all',
      {
        authorization: {
          external: { url: 'http://a/', onFailure: 'deny', headers: [], cache: { ttl: 1, callerOnly: true } },
        },
      },
      /share one answer/,
    ],
  ]
  let problems: readonly { path: string; message: string }[] = []
  before(async () => {
    const config = {
      auth: TEST_AUTH,
      upstreams: {
        users: { targets: [{ origin: 'http://127.0.0.1:9' }] },
        h2: { targets: [{ origin: 'http://127.0.0.1:9' }], http2: true },
      },
      routes: WRONG.map(([, route], i) => ({ path: `/${i}`, upstream: 'users', ...route })),
    }
    // All at once, as an operator is told.
    await assert.rejects(buildGateway(config), (error: ConfigError) => {
      problems = error.problems
      return true
    })
  })
  for (const [i, [what, , message]] of WRONG.entries()) {
    it(what, () => {
      const told = problems.filter(({ path }) => path.startsWith(`routes[${i}].`))
      assert.match(told.map((one) => `${one.path}: ${one.message}`).join('\n'), message)
    })
  }
})

describe('claims', () => {
  it('are found by their own name before their path', () => {
    const claims = { 'https://a.example/roles': ['x'], org: { id: 1, list: [{ a: 1 }] }, 'org.id': 2 }
    assert.deepEqual(claimAt(claims, 'https://a.example/roles'), ['x'])
    assert.equal(claimAt(claims, 'org.id'), 2)
    for (const path of [
      'org.list.0',
      'org.toString',
      'org.constructor.name',
      'org.nope.deeper',
      '__proto__.x',
    ])
      assert.equal(claimAt(claims, path), undefined, path)
  })

  it('hold if all that is said of them does', () => {
    const HOLDS: [unknown, Parameters<typeof claimHolds>[1], boolean][] = [
      ['a', { equals: 'a' }, true],
      [3, { equals: '3' as never }, false],
      [['a'], { equals: 'a' }, false],
      [['a', 'b'], { contains: 'b' }, true],
      ['ab', { contains: 'b' }, false],
      ['b', { any: ['a', 'b'] }, true],
      [['c', 'b'], { any: ['a', 'b'] }, true],
      [[], { any: ['a'] }, false],
      [['a', 'b', 'c'], { all: ['a', 'c'] }, true],
      [['a'], { all: ['a', 'c'] }, false],
      [['a', 'b'], { contains: 'a', all: ['b'], any: ['z'] }, false],
      [undefined, {}, false],
    ]
    for (const [value, demand, holds] of HOLDS)
      assert.equal(claimHolds(value, demand), holds, JSON.stringify(demand))
  })
})

it('a request is judged by every method that it may be taken for', () => {
  const of = (headers: object, url = '/', method = 'POST') => [
    ...methodsOf({ method, url, headers } as never),
  ]
  assert.deepEqual(of({}), ['POST'])
  assert.deepEqual(of({}, '/', 'HEAD'), ['HEAD', 'GET'])
  assert.deepEqual(of({ 'x-http-method-override': 'put, Delete' }), ['POST', 'PUT', 'DELETE'])
  assert.deepEqual(of({}, '/?_method=%ff'), ['POST'])
})

it('a DELETE hid in a name that PHP, qs or older servers read as _method', () => {
  for (const query of [
    ...['_method=DELETE', '%5FMETHOD=delete', '.method=DELETE', '+_method=DELETE', '%20%20_method=DELETE'],
    ...[
      '+.method=DELETE',
      '_method%00x=DELETE',
      '_method[]=DELETE',
      '_method%5B0%5D=DELETE',
      '%2Emethod=DELETE',
    ],
    ...[
      'a;_method=DELETE',
      'a=1;b&_method=DELETE;c',
      '_method=%44ELETE',
      '_method=+DELETE+',
      '_method=DELETE%00',
    ],
    ...[
      '%zz=1&_method=DELETE',
      '_method=%ff&_method=DELETE',
      '\u0020_method=DELETE',
      '_method%09=DELETE',
      '%u005fmethod=DELETE',
    ],
  ]) {
    const methods = methodsOf({ method: 'POST', url: `/?${query}`, headers: {} } as never)
    assert.deepEqual([...methods].includes('DELETE'), true, query)
  }
  for (const query of ['method=DELETE', 'x_method=DELETE', '_methods=DELETE', 'a=_method=DELETE', '_method'])
    assert.deepEqual(
      [...methodsOf({ method: 'POST', url: `/?${query}`, headers: {} } as never)].includes('DELETE'),
      false,
      query,
    )
})
