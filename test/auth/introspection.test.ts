/** Opaque tokens: what is asked, how often, and what happens while nobody answers. */
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import Provider from 'oidc-provider'
import { Refusal } from '../../plugins/auth/authenticator.ts'
import { endpointProblem } from '../../plugins/auth/endpoint.ts'
import { isBearerToken, mayBeJwt } from '../../plugins/auth/introspection/bearer.ts'
import { believe, type Claims } from '../../plugins/auth/introspection/claims.ts'
import { NoAnswerError, type TokenOptions, Tokens } from '../../plugins/auth/introspection/tokens.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'
import { ServiceBreaker } from '../../plugins/upstreams/service-breaker.ts'
import { portFor } from '../support/ports.ts'
import { type Answer, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask } from '../transport/support.ts'
import { expectProblems, gatewayTo } from './support.ts'

const RULES = { endpoint: 'https://id/introspect', subject: 'sub', roles: 'roles' }
const nobody = () => undefined

describe('what an endpoint says', () => {
  const said = (claims: Claims, rules: object = {}, now = 1_000_000) =>
    believe({ active: true, sub: 'ann', ...claims }, { ...RULES, ...rules }, nobody, now)
  const why = (claims: Claims, rules: object = {}) => {
    const result = said(claims, rules)
    return 'why' in result ? result.why : 'believed'
  }

  it('becomes an identity', () => {
    const claims = { iss: 'https://id', scope: 'read  write', roles: ['admin'], client_id: 'app', exp: 2000 }
    const result = said(claims)
    assert.ok('identity' in result)
    assert.equal(result.until, 2_000_000)
    assert.deepEqual(result.identity, {
      id: 'introspection:https%3A%2F%2Fid:sub:ann',
      kind: 'introspection',
      name: 'ann',
      consumer: undefined,
      plan: undefined,
      scopes: ['read', 'write'],
      roles: ['admin'],
      claims: { active: true, sub: 'ann', ...claims },
    })
  })

  it('of a program is not what is said of a person of that name', () => {
    const person = said({ sub: 'x' })
    const program = said({ sub: undefined, client_id: 'x' })
    assert.ok('identity' in person && 'identity' in program)
    assert.notEqual(person.identity.id, program.identity.id)
  })

  it('of one issuer is never what another one may say', () => {
    const id = (iss: string, sub: string) => {
      const result = said({ iss, sub })
      return 'identity' in result ? result.identity.id : ''
    }
    assert.notEqual(id('https://id:sub:a', 'b'), id('https://id', 'a:sub:b'))
  })

  it('finds the consumer that a claim names, with its plan, roles and claims, but not its scopes', () => {
    const facts = {
      plan: 'gold',
      roles: ['partner', 'both'],
      scopes: ['all'],
      claims: { department: 'sales' },
    }
    const consumer = (name: string) => (name === 'app' ? { name, ...facts } : undefined)
    const named = (client_id: string) => {
      const claims = { active: true, client_id }
      const result = believe(claims, { ...RULES, consumer: 'client_id' }, consumer, 0)
      return 'identity' in result
        ? [result.identity.consumer, result.identity.plan, ...result.identity.roles]
        : []
    }
    assert.deepEqual(named('app'), ['app', 'gold', 'partner', 'both'])
    assert.deepEqual(named('other'), [undefined, undefined])
    const claims = {
      active: true,
      client_id: 'app',
      roles: ['own', 'both'],
      department: 'root',
      scope: 'less',
    }
    const result = believe(claims, { ...RULES, consumer: 'client_id' }, consumer, 0)
    assert.ok('identity' in result)
    assert.deepEqual(result.identity.roles, ['own', 'both', 'partner'])
    assert.deepEqual(result.identity.scopes, ['less'])
    assert.deepEqual(result.identity.claims, { ...claims, department: 'sales' })
  })

  it('was read otherwise than the same claims of a JWT', () => {
    const facts = (claims: Claims, rules: object = {}) => {
      const result = said(claims, rules)
      return 'identity' in result ? result.identity : assert.fail(result.why)
    }
    assert.deepEqual(facts({ roles: 'admin user' }).roles, ['admin', 'user'])
    assert.deepEqual(facts({ realm_access: { roles: ['a'] } }, { roles: 'realm_access.roles' }).roles, ['a'])
    assert.deepEqual(facts({ scope: ['a', 'b'] }).scopes, ['a', 'b'])
    assert.deepEqual(facts({ scp: 'a b' }).scopes, ['a', 'b'])
    assert.equal(facts({ ext: { user: 'bob' } }, { subject: 'ext.user' }).name, 'bob')
    const consumer = (name: string) => (name === 'app' ? { name } : undefined)
    const claims = { active: true, sub: 'ann', ext: { client: 'app' } }
    const rules = { ...RULES, consumer: 'ext.client' }
    const named = (more: object) => {
      const result = believe(claims, { ...rules, ...more }, consumer, 0)
      return 'identity' in result ? result.identity.consumer : result.why
    }
    assert.equal(named({}), 'app')
    assert.equal(named({ consumers: ['app'] }), 'app')
    assert.equal(named({ consumers: ['other'] }), undefined)
  })

  it('does not count unless all of it fits', () => {
    assert.match(why({ active: false }), /not active/)
    assert.match(why({ active: 'true' }), /not active/)
    for (const [name, value] of [
      ['token_type', 'refresh_token'],
      ['token_type', 'urn:ietf:params:oauth:token-type:refresh_token'],
      ['token_type', 'Refresh'],
      ['token_use', 'refresh_token'],
      ['typ', 'Refresh'],
      ['typ', 'Offline'],
      ['typ', 'ID'],
      ['token_type', 'id_token'],
    ] as const)
      assert.match(why({ token_type: 'Bearer', [name]: value }), /no access token/, `${name}: ${value}`)
    for (const token_type of ['Bearer', 'access_token', 'DPoP', 'N_A', undefined])
      assert.equal(why({ token_type, typ: 'Bearer', token_use: 'access_token' }), 'believed')
    assert.match(why({ exp: 1000 }), /expired/)
    assert.match(why({ exp: '9999999999' }), /expired/)
    assert.match(why({ nbf: 1001 }), /not valid yet/)
    assert.match(why({ sub: undefined }), /whose it is/)
    assert.match(why({ sub: { a: 1 } }), /whose it is/)
    assert.match(why({ iss: 'b' }, { issuer: 'a' }), /another issuer/)
    assert.match(why({}, { issuer: 'a' }), /another issuer/)
    assert.match(why({}, { audience: ['a'] }), /another audience/)
    assert.match(why({ aud: ['b', 'c'] }, { audience: ['a'] }), /another audience/)
    assert.equal(why({ aud: ['b', 'a'], exp: 1001, nbf: 1000 }, { audience: ['a'] }), 'believed')
    assert.equal(why({ aud: 'a' }, { audience: ['x', 'a'] }), 'believed')
  })
})

const OPTIONS: TokenOptions = {
  cacheFor: 30_000,
  negativeFor: 10_000,
  cacheSize: 100,
  staleFor: 0,
  concurrency: 4,
}

/** Tokens whose endpoint answers what `answers` says, or hangs until it is told. */
function tokens(options: Partial<TokenOptions> = {}, failures = 3) {
  const state = {
    now: 0,
    asked: [] as string[],
    answer: (_token: string): Claims | Promise<Claims> => ({ active: true }),
  }
  const work = {
    async ask(token: string) {
      state.asked.push(token)
      return state.answer(token)
    },
    believe: (claims: Claims, date: number) => believe({ sub: 'ann', ...claims }, RULES, nobody, date),
    tag: (token: string) => `#${token}`,
    now: () => state.now,
    date: () => state.now,
  }
  const breaker = new ServiceBreaker(
    { failures, firstMs: 5000, longestMs: 5000 },
    { now: work.now, random: () => 0 },
  )
  const all = new Tokens({ ...OPTIONS, ...options }, work, breaker)
  return { all, state, of: async (token: string) => all.authenticate(token) }
}

function down(): never {
  throw new Error('ECONNREFUSED')
}

const isKnown = (verdict: Identity | Refusal): boolean => !(verdict instanceof Refusal)

describe('answers', () => {
  it('are kept up to their time and the token’s own, and refusals shortly', async () => {
    const { state, of } = tokens()
    state.answer = (token) => (token === 'bad' ? { active: false } : { active: true, exp: 10 })
    for (const token of ['good', 'good', 'bad', 'bad']) await of(token)
    assert.deepEqual(state.asked, ['good', 'bad'])
    state.now = 9999
    assert.ok(isKnown(await of('good')))
    assert.ok(!isKnown(await of('bad')))
    assert.equal(state.asked.length, 2)
    state.now = 10_000
    assert.ok(!isKnown(await of('good')), 'never past its exp')
    await of('bad')
    assert.deepEqual(state.asked, ['good', 'bad', 'bad'])
    state.answer = () => ({ active: true })
    await of('other')
    state.now = 39_999
    await of('other')
    assert.equal(state.asked.length, 4)
    state.now = 40_000
    await of('other')
    assert.equal(state.asked.length, 5)
  })

  it('to many requests with one token are one question', async () => {
    const { state, of } = tokens()
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => of('good')))
    assert.equal(state.asked.length, 1)
    assert.ok(verdicts.every(isKnown))
  })

  it('are asked for by so many at once and no more', async () => {
    const { all, state, of } = tokens()
    const ends: (() => void)[] = []
    state.answer = () => new Promise((resolve) => ends.push(() => resolve({ active: true })))
    const waiting = ['a', 'b', 'c', 'd'].map(of)
    await assert.rejects(of('e'), NoAnswerError)
    assert.equal(all.counts.held, 1)
    await new Promise(setImmediate)
    for (const end of ends) end()
    assert.ok((await Promise.all(waiting)).every(isKnown))
    state.answer = () => ({ active: true })
    assert.ok(isKnown(await of('e')))
  })

  it('that say that a token was revoked end what was known of it', async () => {
    const { state, of } = tokens({ staleFor: 1_000_000 })
    await of('t')
    state.now = 30_000
    state.answer = () => ({ active: false })
    assert.ok(!isKnown(await of('t')))
    state.now = 40_000
    state.answer = down
    await assert.rejects(of('t'), /ECONNREFUSED/)
  })
})

describe('while nobody answers', () => {
  it('tokens are not let in (fail closed), and the endpoint is left alone after a few failures', async () => {
    const { all, state, of } = tokens()
    await of('known')
    state.answer = down
    state.now = 30_000
    for (const token of ['known', 'b', 'c']) await assert.rejects(of(token), /ECONNREFUSED/)
    assert.equal(state.asked.length, 4)
    for (const token of ['known', 'd', 'e']) await assert.rejects(of(token), NoAnswerError)
    assert.equal(state.asked.length, 4, 'nobody waits for what will not come')
    state.now = 35_000
    await assert.rejects(of('f'), /ECONNREFUSED/)
    await assert.rejects(of('g'), NoAnswerError)
    assert.equal(state.asked.length, 5, 'one tries')
    state.now = 40_000
    state.answer = () => ({ active: true })
    assert.ok(isKnown(await of('h')))
    assert.ok(isKnown(await of('i')))
    assert.deepEqual([all.counts.failed, all.counts.held], [4, 4])
  })

  it('tokens that were active are let in for as long as the config says, and never past their end', async () => {
    const { all, state, of } = tokens({ staleFor: 60_000 })
    state.answer = (token) => (token === 'short' ? { active: true, exp: 50 } : { active: true })
    await of('long')
    await of('short')
    state.answer = down
    state.now = 49_999
    assert.ok(isKnown(await of('long')))
    assert.ok(isKnown(await of('short')))
    assert.equal(all.counts.stale, 2)
    await assert.rejects(of('new'), /ECONNREFUSED/)
    state.now = 50_000
    await assert.rejects(of('short'), NoAnswerError)
    state.now = 89_999
    assert.ok(isKnown(await of('long')))
    state.now = 90_000
    await assert.rejects(of('long'))
  })
})

it('tokens are told by their form', () => {
  const jwt = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.e30.c2ln`
  assert.ok(mayBeJwt(jwt) && isBearerToken(jwt))
  for (const text of [`${jwt}=`, `${jwt}.`, `${jwt}.x.y`, `${jwt}+/`, 'a.b.c', 'bnVsbA.e30.c2ln'])
    assert.equal(mayBeJwt(text), true, text)
  for (const text of ['opaque', 'a.b', 'a.b=']) assert.equal(mayBeJwt(text), false, text)
  for (const text of ['', 'a b', 'ä', 'a"', '=', 'x'.repeat(4097)])
    assert.equal(isBearerToken(text), false, text)
})

it('endpoints are asked in secret, or on the loopback', () => {
  for (const url of [
    'https://id.example.com/i',
    'http://localhost:1/i',
    'http://127.0.0.1/i',
    'http://[::1]:8/',
  ])
    assert.equal(endpointProblem(url), undefined, url)
  for (const url of [
    'http://id.example.com/',
    'ftp://a/',
    'nonsense',
    'https://a:b@c/',
    'https://a/#b',
    1,
    'http://127.0.0.1.evil.com/',
  ])
    assert.notEqual(endpointProblem(url), undefined, String(url))
})

/** An endpoint that knows tokens that begin with `good`. */
async function endpoint(t: TestContext) {
  const state = { answer: undefined as Answer | undefined }
  const target = await startTarget(t, (seen, response, request) => {
    if (state.answer !== undefined) return state.answer(seen, response, request)
    const token = new URLSearchParams(seen.body).get('token') ?? ''
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify(
        token.startsWith('good') ? { active: true, sub: token, scope: 'read' } : { active: false },
      ),
    )
  })
  return { ...target, state }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

async function started(
  t: TestContext,
  url: string,
  options: object = {},
  more: object = {},
  accept: unknown = 'introspection',
) {
  const target = await startTarget(t)
  const introspection = {
    endpoint: `${url}/introspect`,
    clientId: 'gate way',
    clientSecret: 's:cret',
    ...options,
  }
  const gateway = await gatewayTo(t, target.origin, {
    config: { auth: { introspection, ...more } },
    route: { auth: accept },
  })
  return { target, ...gateway }
}

describe('a gateway', () => {
  it('asks the endpoint, as the client that it is, once for each token', async (t) => {
    const id = await endpoint(t)
    const { port, target } = await started(t, id.origin)
    for (let i = 0; i < 2; i++) assert.equal((await ask(port, bearer('good-1'))).status, 200)
    assert.equal(target.seen[0]?.headers.authorization, 'Bearer good-1')
    const refused = await ask(port, bearer('bad'))
    assert.equal(refused.status, 401)
    assert.equal(
      refused.headers['www-authenticate'],
      'Bearer realm="gateway", error="invalid_token", error_description="The token is not valid"',
    )
    assert.equal((await ask(port)).headers['www-authenticate'], 'Bearer realm="gateway"')
    assert.equal((await ask(port, bearer('no"token'))).status, 400)
    assert.equal(id.seen.length, 2)
    const { method, url, headers, body } = id.seen[0] as (typeof id.seen)[number]
    assert.deepEqual(
      [method, url, headers['content-type']?.split(';')[0]],
      ['POST', '/introspect', 'application/x-www-form-urlencoded'],
    )
    assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
      token: 'good-1',
      token_type_hint: 'access_token',
    })
    // RFC 6749, 2.3.1: encoded as forms are before they are joined.
    assert.equal(Buffer.from(headers.authorization?.slice(6) ?? '', 'base64').toString(), 'gate+way:s%3Acret')
  })

  it('proves itself in the body if it is told to', async (t) => {
    const id = await endpoint(t)
    const { port } = await started(t, id.origin, { clientAuth: 'post' })
    assert.equal((await ask(port, bearer('good'))).status, 200)
    const body = new URLSearchParams(id.seen[0]?.body)
    assert.deepEqual([body.get('client_id'), body.get('client_secret')], ['gate way', 's:cret'])
    assert.equal(id.seen[0]?.headers.authorization, undefined)
  })

  for (const [what, answer] of [
    ['does not answer in time', () => {}],
    ['fails', (_seen, response) => response.writeHead(500).end('{"active":true}')],
    ['has too much to do', (_seen, response) => response.writeHead(429).end()],
    ['does not know us', (_seen, response) => response.writeHead(401).end()],
    [
      'says nonsense',
      (_seen, response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"active":"yes"}'),
    ],
    [
      'has an error page for us',
      (_seen, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Sorry</p>'),
    ],
    [
      'sends us elsewhere',
      (_seen, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    ],
    ['breaks off', (_seen, response) => response.destroy()],
  ] as [string, Answer][]) {
    it(`refuses with 503 while the endpoint ${what}`, async (t) => {
      const id = await endpoint(t)
      const { port, target } = await started(t, id.origin, { timeout: '150ms', failures: 2, openFor: '10m' })
      id.state.answer = answer
      for (let i = 0; i < 4; i++) {
        const { status, body, headers } = await ask(port, bearer(`good-${i}`))
        assert.equal(status, 503)
        assert.equal(JSON.parse(String(body)).code, 'GTW_AUTH_UNAVAILABLE')
        assert.ok(headers['retry-after'])
      }
      assert.equal(id.seen.length, 2, 'then it is left alone')
      assert.equal(target.seen.length, 0)
    })
  }

  it('lets nobody shut the others out by tokens that the endpoint will not look at', async (t) => {
    const id = await endpoint(t)
    const { port, target } = await started(t, id.origin, {
      cacheFor: 0,
      staleFor: '1h',
      failures: 1,
      openFor: '10m',
    })
    assert.equal((await ask(port, bearer('good-known'))).status, 200)
    let [status, error] = [400, 'invalid_request']
    id.state.answer = (_seen, response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
    for (const [i, bad] of [400, 400, 403, 404, 413, 414, 431].entries()) {
      status = bad
      const refused = await ask(port, bearer(`junk-${i}`))
      assert.equal(refused.status, 401)
      assert.match(String(refused.headers['www-authenticate']), /invalid_token/)
    }
    const asked = id.seen.length
    assert.equal((await ask(port, bearer('junk-0'))).status, 401)
    assert.equal(id.seen.length, asked, 'it is kept for a while that it is bad')
    assert.equal((await ask(port, bearer('good-known'))).status, 401, 'whatever it was before')
    id.state.answer = undefined
    assert.equal((await ask(port, bearer('good-2'))).status, 200)
    assert.equal(target.seen.length, 2)
    // What it says of the gateway's own credential is about no token.
    error = 'invalid_client'
    id.state.answer = (_seen, response) =>
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
    assert.equal((await ask(port, bearer('good-3'))).status, 503)
    assert.equal((await ask(port, bearer('good-4'))).status, 503)
    assert.equal(id.seen.filter(({ body }) => body.includes('good-4')).length, 0)
  })

  it('goes on with tokens that it knows while the endpoint is away, if the config says so', async (t) => {
    const id = await endpoint(t)
    const { port, app } = await started(t, id.origin, {
      cacheFor: 0,
      staleFor: '1h',
      failures: 1,
      openFor: '50ms',
      timeout: '500ms',
    })
    assert.equal((await ask(port, bearer('good'))).status, 200)
    id.state.answer = (_seen, response) => response.destroy()
    for (let i = 0; i < 3; i++) assert.equal((await ask(port, bearer('good'))).status, 200)
    assert.equal((await ask(port, bearer('good-new'))).status, 503)
    id.state.answer = undefined
    await until(
      'the endpoint is asked again',
      async () => (await ask(port, bearer('good-new'))).status === 200,
    )
    id.state.answer = (_seen, response) =>
      response.setHeader('content-type', 'application/json').end('{"active":false}')
    await until('the revoked token is refused', async () => (await ask(port, bearer('good'))).status === 401)
    const counts: Record<string, number> = {}
    const collector = app.upstreams.collectors.find(({ name }) => name === 'auth_introspection_total')
    collector?.collect((value, result) => Object.assign(counts, { [result as string]: value }))
    assert.ok((counts['stale'] ?? 0) >= 3 && (counts['failed'] ?? 0) >= 1, JSON.stringify(counts))
  })

  it('is refused at the start where it could not be asked', async () => {
    const secret = process.env['NO_SUCH_SECRET']
    await expectProblems(
      {
        auth: {
          introspection: { endpoint: 'http://id.example.com/', clientId: 'a', clientSecret: secret ?? 1 },
        },
      },
      [
        'auth.introspection.endpoint: is not encrypted, and not on the loopback; write "https://',
        'auth.introspection.clientSecret: is not there or is no text; set the environment variable',
      ],
    )
  })
})

describe('together with JWTs', () => {
  const jwt = `${Buffer.from('{"alg":"RS256","kid":"1"}').toString('base64url')}.${Buffer.from('{"iss":"https://x"}').toString('base64url')}.c2ln`
  const jwtOptions = { jwt: { issuers: [{ issuer: 'https://x', audience: 'a', secret: 's'.repeat(40) }] } }

  it('a token of their form is theirs where they are accepted first, and only there', async (t) => {
    const id = await endpoint(t)
    const first = await started(t, id.origin, {}, jwtOptions, ['jwt', 'introspection'])
    assert.equal((await ask(first.port, bearer(jwt))).status, 401)
    assert.equal(id.seen.length, 0)
    assert.equal((await ask(first.port, bearer('good'))).status, 200)
    assert.equal(id.seen.length, 1)
    const last = await started(t, id.origin, {}, jwtOptions, ['introspection', 'jwt'])
    assert.equal((await ask(last.port, bearer(jwt))).status, 401)
    assert.equal(id.seen.length, 2)
  })

  it('a revoked JWT came in again in a spelling that only its issuer takes for one', async (t) => {
    const id = await endpoint(t)
    // As Java's decoders do: padding, what is behind the signature, and the other alphabet are nothing to them.
    id.state.answer = (_seen, response) =>
      response.setHeader('content-type', 'application/json').end('{"active":true,"sub":"ann"}')
    const { port, target } = await started(t, id.origin, {}, jwtOptions, ['jwt', 'introspection'])
    for (const spelling of [`${jwt}=`, `${jwt}==`, `${jwt}.`, `${jwt}..`, `${jwt}.x`, `${jwt}/+`, `${jwt}~`])
      assert.equal((await ask(port, bearer(spelling))).status, 401, spelling)
    assert.equal((await ask(port, bearer(`${jwt}${'A'.repeat(5000)}`))).status, 401, 'a long one')
    assert.deepEqual([id.seen.length, target.seen.length], [0, 0])
  })
})

describe('a real identity provider', () => {
  it('issues, tells of and revokes tokens', async (t) => {
    const secret = 'a-client-secret-of-some-length'
    const listener = { handle: (_request: IncomingMessage, _response: unknown): void => {} }
    const server = createServer((request, response) => listener.handle(request, response))
    const own = await portFor(server)
    t.after(() => server.close())
    const issuer = `http://127.0.0.1:${own}`
    const client = {
      client_id: 'billing',
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    }
    const provider = new Provider(issuer, {
      clients: [client],
      features: {
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
      },
      scopes: ['read'],
    } as never)
    listener.handle = provider.callback() as never
    const form = async (path: string, fields: Record<string, string>): Promise<Record<string, unknown>> => {
      const response = await fetch(`${issuer}${path}`, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { authorization: `Basic ${Buffer.from(`billing:${secret}`).toString('base64')}` },
      })
      const text = await response.text()
      return text === '' ? {} : JSON.parse(text)
    }
    const token = String(
      (await form('/token', { grant_type: 'client_credentials', scope: 'read' }))['access_token'],
    )
    assert.ok(token.length > 20 && !mayBeJwt(token))

    const target = await startTarget(t)
    const seen: (Identity | null)[] = []
    const { port } = await gatewayTo(t, target.origin, {
      config: {
        auth: {
          introspection: {
            endpoint: `${issuer}/token/introspection`,
            clientId: 'billing',
            clientSecret: secret,
            issuer,
            consumer: 'client_id',
            cacheFor: 0,
          },
        },
        consumers: { billing: { plan: 'gold' } },
      },
      route: { auth: 'introspection' },
      use: async (app) => app.onRequestEnd(({ identity }) => void seen.push(identity)),
    })
    assert.equal((await ask(port, bearer(token))).status, 200)
    const { name, consumer, plan, scopes } = seen[0] as Identity
    assert.deepEqual(
      { name, consumer, plan, scopes },
      { name: 'billing', consumer: 'billing', plan: 'gold', scopes: ['read'] },
    )
    await form('/token/revocation', { token })
    assert.equal((await ask(port, bearer(token))).status, 401)
  })
})
