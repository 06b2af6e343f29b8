import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Authenticator, Refusal, type Verdict } from '../../plugins/auth/authenticator.ts'
import { joinChallenges } from '../../plugins/auth/challenges.ts'
import { authorization } from '../../plugins/auth/credentials.ts'
import { RouteAuthentication } from '../../plugins/auth/guard.ts'
import type { GatewayError } from '../../plugins/upstreams/errors.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'
import { Quiet } from '../../plugins/upstreams/quiet.ts'
import { readGateway } from '../support/config.ts'
import { virtualClock } from '../support/dice.ts'
import { buildGateway, rawRequest, startGateway } from '../support/gateway.ts'
import { ownHouse, startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { AUDIENCE, claimsOf, guarded, SECRET, sign, signingKey } from './tokens.ts'

const identity = (name: string): Identity => ({
  id: `test:${name}`,
  kind: 'test',
  name,
  consumer: undefined,
  plan: undefined,
  scopes: [],
  roles: [],
  claims: {},
})

/** A route that accepts kinds called a, b, c ..., which answer so. */
function route(answers: readonly (() => Verdict | Promise<Verdict>)[], { optional = false } = {}) {
  const asked: string[] = []
  const failures: string[] = []
  const without = { missing: 0, anonymous: 0 }
  const accepted = answers.map((answer, i) => {
    const kind = 'abcdef'[i] as string
    const authenticator: Authenticator = {
      challenge: (refusal) =>
        refusal === undefined ? `${kind} realm="x"` : `${kind} error="${refusal.error}"`,
      authenticate() {
        asked.push(kind)
        return answer()
      },
    }
    return { kind, authenticator, tally: { accepted: 0, refused: 0, unavailable: 0 } }
  })
  const guard = new RouteAuthentication(accepted, optional, without, (kind) => failures.push(kind))
  const request = { identity: null as Identity | null }
  const outcome = async (): Promise<GatewayError | undefined> => {
    try {
      await guard.check(request as never)
      return undefined
    } catch (error) {
      return error as GatewayError
    }
  }
  return { guard, request, outcome, asked, failures, without, tally: accepted.map(({ tally }) => tally) }
}

const nothing = (): Verdict => undefined
const bad = (): Verdict => new Refusal('invalid_token', 'no good', 'inside')
const odd = (): Verdict => new Refusal('invalid_request', 'no form')
const down = (): Verdict => {
  throw new Error('is down')
}
const good = (): Verdict => identity('alice')
const later = (answer: () => Verdict) => async (): Promise<Verdict> => {
  await turn()
  return answer()
}

describe('who a request comes from', () => {
  it('is asked of one kind after another; the first that knows decides', async () => {
    for (const wrap of [(answer: () => Verdict) => answer, later]) {
      const it = route([wrap(nothing), wrap(good), wrap(() => identity('bob'))])
      assert.equal(await it.outcome(), undefined)
      assert.equal(it.request.identity?.name, 'alice')
      assert.deepEqual(it.asked, ['a', 'b'])
      assert.deepEqual(
        it.tally.map(({ accepted }) => accepted),
        [0, 1, 0],
      )
    }
  })

  it('costs no promise where no kind needs one', () => {
    assert.equal(route([nothing, good]).guard.check({} as never), undefined)
    assert.equal(route([nothing], { optional: true }).guard.check({} as never), undefined)
    assert.throws(() => route([nothing, bad]).guard.check({} as never), { statusCode: 401 })
  })

  it('is told by a good credential even beside a bad one, or one that cannot be checked', async () => {
    for (const first of [bad, odd, down, later(bad), later(down)]) {
      const it = route([first, nothing, later(good)])
      assert.equal(await it.outcome(), undefined)
      assert.equal(it.request.identity?.name, 'alice')
    }
  })

  it('nothing brought: 401 with the challenges of all kinds, and no error code (RFC 6750, 3.1)', async () => {
    const it = route([nothing, later(nothing)])
    const error = await it.outcome()
    assert.deepEqual([error?.statusCode, error?.code], [401, 'GTW_UNAUTHENTICATED'])
    assert.deepEqual(error?.headers, {
      'www-authenticate': 'a realm="x", b realm="x"',
      'cache-control': 'no-store',
    })
    assert.equal(it.request.identity, null)
    assert.deepEqual(it.without, { missing: 1, anonymous: 0 })
  })

  it('something bad brought: 401 with its error, and the inside of it for the log only', async () => {
    const it = route([nothing, bad])
    const error = await it.outcome()
    assert.equal(error?.headers?.['www-authenticate'], 'a realm="x", b error="invalid_token"')
    assert.equal(error?.message, 'no good')
    assert.deepEqual(error?.cause, { message: 'b: inside' })
    assert.deepEqual([it.tally[0]?.refused, it.tally[1]?.refused], [0, 1])
  })

  it('something of the wrong form: 400, unless another credential was looked at and is bad', async () => {
    const malformed = await route([odd, nothing]).outcome()
    assert.deepEqual([malformed?.statusCode, malformed?.code], [400, 'GTW_BAD_REQUEST'])
    assert.match(malformed?.headers?.['www-authenticate'] ?? '', /a error="invalid_request"/)
    const both = await route([odd, bad]).outcome()
    assert.deepEqual(
      [both?.statusCode, both?.message, both?.cause],
      [401, 'no good', { message: 'b: inside' }],
    )
  })

  it('optional: nothing at all is let through without an identity, anything bad is not', async () => {
    const open = route([nothing, later(nothing)], { optional: true })
    assert.equal(await open.outcome(), undefined)
    assert.equal(open.request.identity, null)
    assert.deepEqual(open.without, { missing: 0, anonymous: 1 })
    for (const [answer, status] of [
      [bad, 401],
      [odd, 400],
      [down, 503],
    ] as const) {
      for (const one of [answer, later(answer)]) {
        assert.equal((await route([nothing, one], { optional: true }).outcome())?.statusCode, status)
      }
    }
  })

  it('cannot be told: 503 with Retry-After, whatever the other kinds found bad', async () => {
    for (const failing of [
      down,
      later(down),
      () => Promise.reject(new Error('x')),
      () => Promise.reject('x'),
    ]) {
      const it = route([bad, failing, nothing])
      const error = await it.outcome()
      assert.deepEqual(
        [error?.statusCode, error?.code, error?.source],
        [503, 'GTW_AUTH_UNAVAILABLE', 'gateway'],
      )
      assert.equal(error?.headers?.['retry-after'], '5')
      assert.doesNotMatch(error?.message ?? '', /is down|inside/)
      assert.deepEqual(it.asked, ['a', 'b', 'c'])
      assert.deepEqual(it.failures, ['b'])
      assert.deepEqual([it.tally[0]?.refused, it.tally[1]?.unavailable], [0, 1])
    }
  })

  it('is no identity just because something was returned', async () => {
    for (const wrong of [true, 'alice', {}, { id: '' }, { id: 7 }, null, [], 0, new Date()]) {
      for (const wrap of [(answer: () => Verdict) => answer, later]) {
        const it = route([wrap(() => wrong as unknown as Verdict)])
        assert.equal((await it.outcome())?.statusCode, 503, String(wrong))
        assert.equal(it.request.identity, null)
      }
    }
  })
})

describe('challenges', () => {
  it('two kinds of one scheme speak with one voice, that of a refusal', () => {
    const plain = { text: 'Bearer realm="x"', refusing: false }
    const refusing = { text: 'bearer realm="x", error="invalid_token"', refusing: true }
    const basic = { text: 'Basic realm="x"', refusing: false }
    assert.equal(joinChallenges([plain, basic, refusing]), `${refusing.text}, ${basic.text}`)
    assert.equal(joinChallenges([refusing, basic, plain]), `${refusing.text}, ${basic.text}`)
    assert.equal(joinChallenges([plain, plain]), plain.text)
  })
})

describe('the Authorization header', () => {
  const from = (value: string | undefined, rawHeaders: string[] = ['Authorization', value ?? '']) =>
    authorization({ headers: { authorization: value }, raw: { rawHeaders } }, 'bearer')

  it('has a scheme in any case, then blanks, then the credential', () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) assert.equal(from(`${scheme} x.y`), 'x.y')
    assert.equal(from('Bearer   x'), 'x')
    assert.equal(from('Bearer x y'), 'x y')
    assert.equal(from('Bearer'), '')
    for (const other of [undefined, '', 'Basic x', 'Bearerx', 'Bearer\tx', 'Bear x', ' Bearer x']) {
      assert.equal(from(other), undefined, String(other))
    }
  })

  it('is refused if there are several: Node keeps the first and drops the rest in silence', () => {
    for (const second of ['Bearer x', 'Basic x', '']) {
      const verdict = from('Bearer x', ['Host', 'a', 'authorization', 'Bearer x', 'AUTHORIZATION', second])
      assert.ok(verdict instanceof Refusal)
      assert.equal(verdict.error, 'invalid_request')
    }
  })
})

describe('what is said again and again', () => {
  it('is said once in a while, with how often it was kept back', () => {
    const clock = virtualClock()
    const said: string[] = []
    const quiet = new Quiet(clock.now, 1000)
    const say = (what: string) => quiet.say(what, (kept) => said.push(`${what} ${kept}`))
    for (let i = 0; i < 5; i++) say('a')
    say('b')
    clock.advance(1000)
    say('a')
    say('a')
    assert.deepEqual(said, ['a 0', 'b 0', 'a 4'])
  })
})

describe('auth in a gateway', () => {
  const shared = { issuers: [{ issuer: 'https://id.example', audience: AUDIENCE, publicKey: '' }] }

  async function setup(t: Parameters<typeof startTarget>[0], routes: readonly object[], server: object = {}) {
    const key = await signingKey('ES256', 'k')
    const target = await startTarget(t)
    const jwt = { issuers: [{ ...shared.issuers[0], publicKey: key.pem }] }
    const gateway = await startGateway({
      server,
      auth: { realm: 'the api', jwt },
      upstreams: { main: { targets: [{ origin: target.origin }] } },
      routes: routes.map((one) => ({ upstream: 'main', ...one })),
    } as object)
    t.after(() => {
      gateway.app.server.closeAllConnections()
      void gateway.app.close()
    })
    return { ...gateway, target, token: await sign(key, claimsOf('https://id.example')) }
  }

  it('guards the routes that say so, in each of the ways to say it, and no others', async (t) => {
    const { app, target, token } = await setup(t, [
      { path: '/open' },
      { path: '/one', auth: 'jwt' },
      { path: '/list', auth: ['jwt'] },
      { path: '/full', auth: { accept: 'jwt' } },
      { path: '/optional', auth: { accept: ['jwt'], optional: true } },
    ])
    const statuses = async (headers: Record<string, string>) => {
      const all = ['/open', '/one', '/list', '/full', '/optional'].map((url) => app.inject({ url, headers }))
      return (await Promise.all(all)).map(({ statusCode }) => statusCode)
    }
    assert.deepEqual(await statuses({}), [200, 401, 401, 401, 200])
    assert.deepEqual(await statuses({ authorization: `Bearer ${token}` }), [200, 200, 200, 200, 200])
    assert.deepEqual(await statuses({ authorization: 'Bearer x.y.z' }), [200, 401, 401, 401, 401])
    assert.deepEqual(await statuses({ authorization: 'Bearer' }), [200, 400, 400, 400, 400])
    assert.equal(target.seen.length, 2 + 5 + 1 + 1)

    const { headers } = await app.inject('/one')
    assert.equal(headers['www-authenticate'], 'Bearer realm="the api"')
    const shown: Record<string, number> = {}
    app.upstreams.collectors
      .find(({ name }) => name === 'auth_decisions_total')
      ?.collect((value, ...labels) => {
        shown[labels.join(' ')] = value
      })
    assert.equal(shown['/one jwt accepted'], 1)
    assert.equal(shown['/one jwt refused'], 2)
    assert.equal(shown['/one none missing'], 2)
    assert.equal(shown['/optional none anonymous'], 1)
    assert.equal(Object.keys(shown).length, 4 * 5)
  })

  it('several Authorization headers are refused over the wire too, whatever they say', async (t) => {
    const { port, target, token } = await setup(t, [{ path: '/*', auth: 'jwt' }])
    const send = (...values: string[]) => {
      const lines = values.map((value) => `Authorization: ${value}\r\n`).join('')
      return rawRequest(port, `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n`)
    }
    assert.match(await send(`bEARER ${token}`), /^HTTP\/1.1 200 /)
    assert.match(await send(`Bearer ${token}`, `Bearer ${token}`), /^HTTP\/1.1 400 [\s\S]*invalid_request/)
    assert.match(await send(`Bearer ${token}`, 'Basic YTpi'), /^HTTP\/1.1 400 /)
    assert.match(await send('Basic YTpi', `Bearer ${token}`), /^HTTP\/1.1 400 /)
    assert.match(await send(`Bearer ${token} x`), /^HTTP\/1.1 401 /)
    assert.equal(target.seen.length, 1)
  })

  it('HTTP/2 is no way around it', async (t) => {
    const { url, target, token } = await setup(t, [{ path: '/*', auth: 'jwt' }], { http2: true })
    const client = connect(url, { strictSingleValueFields: false } as object)
    t.after(() => client.destroy())
    const status = async (...values: string[]): Promise<unknown> => {
      const fields = [':path', '/', ':method', 'GET', ...values.flatMap((value) => ['authorization', value])]
      const stream = client.request(fields)
      stream.resume().end()
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
      return headers[':status']
    }
    assert.equal(await status(), 401)
    assert.equal(await status(`Bearer ${token}`), 200)
    assert.equal(await status(`Bearer ${token}`, 'Basic YTpi'), 400)
    assert.equal(target.seen.length, 1)
  })

  it('a tunnel needs a credential like any request', async (t) => {
    const { port, target } = await setup(t, [{ path: '/*', auth: 'jwt', upgrade: ['websocket'] }])
    const answer = await rawRequest(
      port,
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    assert.match(answer, /^HTTP\/1.1 401 /)
    assert.equal(target.seen.length, 0)
  })

  it('a canonical path is what is guarded: no spelling of it gets around', async (t) => {
    const { port, target } = await setup(t, [{ path: '/admin/*', auth: 'jwt' }, { path: '/*' }])
    for (const path of [
      '/admin/x',
      '/./admin/x',
      '/%2e/admin/x',
      '//admin/x',
      '/a/../admin/x',
      '/%61dmin/x',
    ]) {
      const answer = await rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      assert.match(answer, /^HTTP\/1.1 40[01] /, path)
    }
    assert.equal(target.seen.length, 0)
  })

  it('what cannot be told is 503, logged once and not per request', async (t) => {
    const jwt = { issuers: [{ issuer: 'http://127.0.0.1:1', audience: AUDIENCE }] }
    const gateway = await guarded(t, { jwt })
    const key = await signingKey('ES256', 'k')
    const token = await sign(key, claimsOf('http://127.0.0.1:1'))
    for (let i = 0; i < 5; i++) {
      const response = await gateway.bring(token)
      assert.equal(response.statusCode, 503)
      assert.equal(response.json().code, 'GTW_AUTH_UNAVAILABLE')
      assert.equal(response.headers['retry-after'], '5')
      assert.doesNotMatch(response.body, /127\.0\.0\.1|ECONN|keys/)
    }
    assert.equal(gateway.log.filter((line) => line.includes('cannot be checked')).length, 1)
    assert.equal(gateway.measured('auth_decisions_total')['guarded jwt unavailable'], 5)
    assert.equal(gateway.target.seen.length, 0)
  })
})

describe('the config of auth', () => {
  const upstreams = { main: { targets: [{ origin: 'http://10.0.0.1:80' }] } }
  const jwt = { issuers: [{ issuer: 'https://id.example', audience: AUDIENCE, secret: SECRET }] }

  async function problems(config: object): Promise<string[]> {
    const { problems } = await readGateway({ upstreams, ...config }, 'test.config.ts')
    if (problems.length > 0) return problems.map(({ path, message }) => `${path}: ${message}`)
    return buildGateway({ upstreams, ...config }).then(
      async (app) => {
        await app.close()
        return []
      },
      (error) =>
        error.problems.map(({ path, message }: { path: string; message: string }) => `${path}: ${message}`),
    )
  }
  const routes = (...all: readonly unknown[]) =>
    all.map((auth, i) => ({ path: `/${i}`, upstream: 'main', auth }))

  it('a kind that is unknown or not set up fails the start, with the remedy', async () => {
    const config = {
      auth: { jwt, basci: {} },
      routes: routes('jwt', 'basic', ['jwt', 'jwtt'], 'constructor', '__proto__', 'realm', ''),
    }
    const found = await problems(config)
    assert.deepEqual(found.slice(0, 3), [
      'auth.basci: no kind of credential is called "basci"; did you mean "basic"?',
      'routes[1].auth: accepts "basic", which is not set up; add `auth.basic` to the config',
      'routes[2].auth: no kind of credential is called "jwtt"; did you mean "jwt"?',
    ])
    for (const i of [3, 4, 5, 6]) {
      assert.ok(found[i]?.startsWith(`routes[${i}].auth: no kind of credential is called`), String(found[i]))
    }
    assert.equal(found.length, 7)
  })

  it('a route whose auth is undefined is not an open one: the variable may just not have been set', async () => {
    const { problems } = await readGateway(
      {
        upstreams: { users: { targets: [{ origin: 'http://127.0.0.1:1' }] } },
        routes: [
          { path: '/a', upstream: 'users', auth: undefined, rateLimit: undefined },
          {
            path: '/b',
            upstream: 'users',
            authorization: undefined,
            addresses: undefined,
            timeout: undefined,
          },
        ],
      },
      'test.config.ts',
    )
    assert.deepEqual(problems.map(({ path }) => path).toSorted(), [
      'routes[0].auth',
      'routes[0].rateLimit',
      'routes[1].addresses',
      'routes[1].authorization',
    ])
    for (const { message } of problems) assert.match(message, /^is undefined, .*; give it a value, or leave/)
  })

  it('a route that accepts nothing, or nonsense, is not an open one', async () => {
    const nonsense = [null, true, 0, {}, [1], { accept: [] }, { optional: true }, { accept: null }, []]
    const found = await problems({ auth: { jwt }, routes: routes(...nonsense, ['jwt', 'jwt']) })
    for (const [i, auth] of nonsense.entries()) {
      assert.ok(
        found.some((one) => one.startsWith(`routes[${i}].auth`)),
        JSON.stringify(auth),
      )
    }
    assert.ok(found.some((one) => /^routes\[9\].*twice/.test(one)))
  })
})

describe('a kind of one’s own', () => {
  const plugin = `
    import fp from 'fastify-plugin'
    import { Refusal } from './auth/authenticator.ts'
    import type { Input } from './config/define.ts'
    import { integer, object, text, withDefault } from './config/kit.ts'

    declare module './auth/authenticator.ts' {
      interface AuthenticatorKinds {
        badge: Input<typeof options>
      }
    }

    const options = object({ prefix: text({ minLength: 1 }), longest: withDefault(integer({ minimum: 1 }), 5) })

    export default fp(
      async (app) => {
        app.defineAuthenticator('badge', ({ prefix, longest }) => ({
          challenge: () => 'Badge',
          authenticate({ headers }) {
            const badge = headers['x-badge']
            if (badge === undefined) return undefined
            if (typeof badge !== 'string' || !badge.startsWith(prefix) || badge.length > longest) return new Refusal('invalid_token', 'No such badge')
            const name = badge.slice(prefix.length)
            return { id: 'badge:' + name, kind: 'badge', name, consumer: undefined, plan: undefined, scopes: [], roles: [], claims: {} }
          },
        }), options)
      },
      { name: 'badge', dependencies: ['auth'] },
    )`

  it('has a name of its own, and comes before the server is ready', async (t) => {
    const app = await buildGateway({ upstreams: {}, routes: [] })
    t.after(() => app.close())
    const create = () => ({ challenge: () => undefined, authenticate: () => undefined })
    assert.throws(
      () => app.defineAuthenticator('jwt', create),
      /"jwt" authenticates already; take another name/,
    )
    await app.ready()
    assert.throws(() => app.defineAuthenticator('badge' as never, create), /"badge" comes too late/)
  })

  it('that cannot be made from its options fails the start, and says where they stand', async (t) => {
    const config = {
      auth: { jwt: { issuers: [{ issuer: 'https://id.example', audience: AUDIENCE, secret: SECRET }] } },
      upstreams: {},
      routes: [],
    }
    const app = await buildGateway(config)
    t.after(() => app.close())
    app.upstreams.measure({ name: 'jwks_keys', help: '', type: 'gauge', labels: [], collect() {} })
    await assert.rejects(async () => app.ready(), /^Error: auth\.jwt: "jwks_keys" is measured already/)
  })

  it('is a plugin: it takes its options from the config, and guards as ours do', {
    timeout: 60_000,
  }, async (t) => {
    const target = await startTarget(t)
    const folder = await ownHouse(t, { 'plugins/badge.ts': plugin })
    const config = `
      import { defineGateway } from './plugins/config/define.ts'
      export default defineGateway({
        server: { drain: 0 },
        auth: { badge: { prefix: 'no-' } },
        upstreams: { main: { targets: [{ origin: '${target.origin}' }] } },
        routes: [{ path: '/*', upstream: 'main', auth: 'badge' as never }],
      } as never)`
    const wrong = config.replace("prefix: 'no-'", "prefix: '', logest: 7")
    const told = (await startProcess(t, { folder, config: wrong })).output()
    assert.match(told, /auth\.badge\.prefix: must not be empty/)
    assert.match(told, /auth\.badge\.logest: unknown key; did you mean "longest"/)
    const gateway = await startProcess(t, { folder, config })
    const status = async (headers: Record<string, string>) => {
      const response = await fetch(gateway.url, { headers }).catch(() => assert.fail(gateway.output()))
      return [response.status, response.headers.get('www-authenticate')]
    }
    assert.deepEqual(await status({}), [401, 'Badge'])
    assert.deepEqual(await status({ 'x-badge': '7' }), [401, 'Badge'])
    assert.deepEqual(await status({ 'x-badge': 'no-7' }), [200, null])
    assert.deepEqual(await status({ 'x-badge': 'no-7890' }), [401, 'Badge'], 'longer than the default')
  })
})
