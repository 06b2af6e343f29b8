import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { type ClaimRules, checkClaims } from '../../plugins/auth/jwt/claims.ts'
import type { KeySource, VerifyKey } from '../../plugins/auth/jwt/key-ring.ts'
import { idOf, type Revocation, RevocationList } from '../../plugins/auth/jwt/revocation-list.ts'
import { RevocationMirror } from '../../plugins/auth/jwt/revocation-mirror.ts'
import { type Redis, RevocationStore } from '../../plugins/auth/jwt/revocation-store.ts'
import { TokenVerifier } from '../../plugins/auth/jwt/verify.ts'
import { rolesOf, scopesOf } from '../../plugins/auth/token-claims.ts'
import { claimAt, type Identity } from '../../plugins/upstreams/identity.ts'
import { virtualTimers } from '../health-check/virtual-timers.ts'
import { createAuthority } from '../support/certificates.ts'
import { readGateway } from '../support/config.ts'
import { startRedis } from '../support/redis.ts'
import { needs } from '../support/tools.ts'
import { until } from '../support/until.ts'
import {
  AUDIENCE,
  claimsOf,
  encode,
  guarded,
  now,
  publisher,
  SECRET,
  type SigningKey,
  sign,
  signingKey,
} from './tokens.ts'

const ISSUER = 'https://id.example.com/'

/** A gateway that believes one key of the config, and what its requests came to. */
async function simple(
  t: TestContext,
  issuer: object = {},
  jwt: object = {},
  config: object = {},
  name = ISSUER,
) {
  const key = await signingKey('ES256', 'k')
  const identities: (Identity | null)[] = []
  const gateway = await guarded(
    t,
    { jwt: { issuers: [{ issuer: name, audience: AUDIENCE, publicKey: key.pem, ...issuer }], ...jwt } },
    {
      config,
      use: async (app) =>
        app.addGuard({
          name: 'look',
          stage: 'authorize',
          forRoute: () => (request) => void identities.push(request.identity),
        }),
    },
  )
  const token = (claims: object = {}, header: object = {}) => sign(key, claimsOf(name, claims), header)
  const status = async (claims: object = {}, header: object = {}) =>
    (await gateway.bring(await token(claims, header))).statusCode
  return { ...gateway, key, identities, token, status }
}

describe('an identity from a token', () => {
  it('has the subject, the issuer in its id, scopes, roles and all claims, and cannot be changed', async (t) => {
    const it = await simple(t, { roles: 'realm_access.roles' })
    const claims = { scope: 'a b', realm_access: { roles: ['admin', 7, 'ops'] }, extra: { deep: [1] } }
    assert.equal(await it.status(claims), 200)
    const [identity] = it.identities
    assert.ok(identity)
    assert.equal(identity.id, 'jwt:https%3A%2F%2Fid.example.com%2F:alice')
    assert.deepEqual(
      [identity.kind, identity.name, identity.scopes, identity.roles, identity.consumer, identity.plan],
      ['jwt', 'alice', ['a', 'b'], ['admin', 'ops'], undefined, undefined],
    )
    assert.deepEqual(identity.claims['extra'], { deep: [1] })
    assert.throws(() => (identity.claims['extra'] as { deep: number[] }).deep.push(2), TypeError)
    assert.throws(() => (identity.scopes as string[]).push('c'), TypeError)
  })

  it('is that of a consumer, if a claim names one', async (t) => {
    const it = await simple(
      t,
      { consumer: 'azp' },
      {},
      { consumers: { acme: { plan: 'gold', scopes: ['more'] } } },
    )
    for (const azp of ['acme', 'nobody', 'constructor', 7, undefined])
      assert.equal(await it.status({ azp, scope: 'a' }), 200)
    assert.deepEqual(
      it.identities.map((one) => [one?.consumer, one?.plan]),
      [['acme', 'gold'], ...Array(4).fill([undefined, undefined])],
    )
    assert.deepEqual(it.identities[0]?.scopes, ['a'], 'a token says what it is good for')
  })

  it('of one issuer was taken for the consumer of another', async (t) => {
    const it = await simple(
      t,
      { consumer: 'azp', consumers: ['acme'] },
      {},
      { consumers: { acme: { plan: 'gold' }, ops: { roles: ['root'] } } },
    )
    for (const azp of ['acme', 'ops']) assert.equal(await it.status({ azp }), 200)
    assert.deepEqual(
      it.identities.map((one) => [one?.consumer, one?.roles]),
      [
        ['acme', []],
        [undefined, []],
      ],
    )
  })

  it('is let in by a route for the tokens of one issuer only', async (t) => {
    const [ours, theirs] = ['https://ours.example', 'https://theirs.example']
    const key = await signingKey('ES256', 'k')
    const issuers = [ours, theirs].map((issuer) => ({ issuer, audience: AUDIENCE, publicKey: key.pem }))
    const authorization = { claims: { iss: { equals: ours } } }
    const routes = [{ path: '/*', upstream: 'main', auth: 'jwt', authorization }]
    const { bring } = await guarded(t, { jwt: { issuers } }, { config: { routes } })
    assert.equal((await bring(await sign(key, claimsOf(ours)))).statusCode, 200)
    assert.equal((await bring(await sign(key, claimsOf(theirs)))).statusCode, 403)
  })

  it('has the roles and claims of its consumer too, and authorization goes by them', async (t) => {
    const consumer = { roles: ['gold-group'], claims: { department: 'sales' } }
    const it = await simple(
      t,
      { consumer: 'iss' },
      {},
      {
        consumers: { 'mobile-app': consumer },
        routes: [
          {
            path: '/*',
            upstream: 'main',
            auth: 'jwt',
            authorization: { roles: ['gold-group'], claims: { department: { equals: 'sales' } } },
          },
        ],
      },
      'mobile-app',
    )
    assert.equal(await it.status({ roles: ['own'], department: 'root' }), 200)
    assert.deepEqual(it.identities[0]?.roles, ['own', 'gold-group'])
    assert.equal(it.identities[0]?.claims['department'], 'sales', 'no issuer overrules the config')
    assert.equal(it.identities[0]?.claims['sub'], 'alice')
  })

  it('takes the subject from the claim that the config says', async (t) => {
    const it = await simple(t, { subject: 'client_id' })
    assert.equal(await it.status({ client_id: 'robot' }), 200)
    assert.equal(it.identities[0]?.name, 'robot')
    assert.equal(await it.status(), 401)
  })

  it('takes scopes from scope or scp, as text or list', () => {
    assert.deepEqual(scopesOf({ scope: 'a  b ' }), ['a', 'b'])
    assert.deepEqual(scopesOf({ scp: ['a', 'b'] }), ['a', 'b'])
    assert.deepEqual(scopesOf({ scp: 'a b' }), ['a', 'b'])
    assert.deepEqual(scopesOf({ scope: '', scp: 'a' }), [])
    for (const scope of [undefined, null, 7, {}, [7]]) assert.deepEqual(scopesOf({ scope }), [])
    assert.deepEqual(rolesOf({ 'https://a.example/roles': ['x'] }, 'https://a.example/roles'), ['x'])
    assert.deepEqual(rolesOf({}, 'constructor.name'), [])
    assert.equal(claimAt({ a: [{ b: 1 }] }, 'a.0.b'), undefined)
  })
})

describe('claims', () => {
  const rules: ClaimRules = {
    issuer: ISSUER,
    audience: ['a', 'b'],
    leeway: 5000,
    maxAge: undefined,
    typ: undefined,
    required: [],
    subject: 'sub',
  }
  const claims = { iss: ISSUER, aud: 'a', sub: 's', exp: 1000 }
  const check = (more: object, date: number, other: Partial<ClaimRules> = {}, typ?: string): string => {
    const result = checkClaims({ ...claims, ...more }, typ, { ...rules, ...other }, date)
    return 'why' in result ? result.why : 'good'
  }

  it('exp, nbf and iat hold to the millisecond, give or take the leeway', () => {
    assert.equal(check({}, 1_004_999), 'good')
    assert.equal(check({}, 1_005_000), 'has expired')
    assert.equal(check({ nbf: 500 }, 495_000), 'good')
    assert.equal(check({ nbf: 500 }, 494_999), 'is not valid yet')
    assert.equal(check({ iat: 500 }, 494_999), 'is not valid yet')
    assert.equal(check({ exp: 1000.5 }, 1_005_499), 'good')
  })

  it('maxAge counts from iat, which has to be there', () => {
    const maxAge = 60_000
    assert.equal(check({}, 0, { maxAge }), 'iat is missing')
    assert.equal(check({ iat: 100 }, 164_999, { maxAge }), 'good')
    assert.equal(check({ iat: 100 }, 165_000, { maxAge }), 'has expired')
  })

  it('an audience fits if the two lists have one in common', () => {
    for (const aud of ['a', 'b', ['b'], ['x', 'b']]) assert.equal(check({ aud }, 0), 'good')
    for (const aud of [null, 7, ['a', 7], [['a']]]) {
      assert.equal(check({ aud }, 0), 'aud is not text or a list of texts')
    }
    for (const aud of ['x', ['x', 'y'], []]) assert.equal(check({ aud }, 0), 'aud names somebody else')
  })

  it('an audience counts for nothing only where the config says so, and that is said at the start', async (t) => {
    const it = await simple(t, { audience: false })
    assert.equal(await it.status({ aud: undefined }), 200)
    assert.equal(await it.status({ aud: 'https://other.example' }), 200)
    assert.equal(await it.status({ aud: undefined, exp: undefined }), 401)
    assert.equal(await it.status({ aud: undefined, iss: 'https://other.example' }), 401)
    assert.ok(it.log.some((line) => line.includes('taken whoever they are for')))
  })

  it('none of those that count may be missing', () => {
    for (const name of ['iss', 'aud', 'sub', 'exp'] as const) {
      const { [name]: _, ...rest } = claims
      const result = checkClaims(rest, undefined, rules, 0)
      assert.match('why' in result ? result.why : 'good', new RegExp(`^${name} is `))
    }
  })

  it('typ is compared as a media type, and what is required has to be there', () => {
    const at = { typ: 'at+jwt' }
    for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt']) assert.equal(check({}, 0, at, typ), 'good')
    for (const typ of ['JWT', undefined, 'at+jwt ', ''])
      assert.equal(check({}, 0, at, typ), 'typ is not at+jwt')
    assert.equal(check({}, 0, { required: ['azp'] }), 'azp is missing')
    assert.equal(check({ azp: null }, 0, { required: ['azp'] }), 'good')
    assert.equal(check({}, 0, { required: ['constructor'] }), 'constructor is missing')
  })

  it('are held to the options of the config', async (t) => {
    const it = await simple(t, {
      typ: 'at+jwt',
      maxAge: '1h',
      requiredClaims: ['azp'],
      audience: ['other', AUDIENCE],
    })
    const good = { azp: 'x', aud: [AUDIENCE, 'more'] }
    assert.equal(await it.status(good, { typ: 'at+jwt' }), 200)
    assert.equal(await it.status(good), 401)
    // The client is told that it is not valid; why, is in the access line.
    assert.ok(
      it.log.some((line) => line.includes('"cause":"jwt: typ is not at+jwt"')),
      it.log.join(''),
    )
    assert.equal(await it.status({ aud: AUDIENCE }, { typ: 'at+jwt' }), 401)
    assert.equal(await it.status({ ...good, iat: now() - 4000 }, { typ: 'at+jwt' }), 401)
    assert.equal(await it.status({ ...good, iat: undefined }, { typ: 'at+jwt' }), 401)
  })
})

describe('where a token is brought', () => {
  it('in Authorization only, unless the config says so; never in the query', async (t) => {
    const it = await simple(t)
    const token = await it.token()
    const { statusCode } = await it.app.inject({
      url: `/a?access_token=${token}`,
      headers: { cookie: `token=${token}`, 'x-token': token },
    })
    assert.equal(statusCode, 401)
    assert.equal((await it.bring(token)).statusCode, 200)
  })

  it('in a header or cookie of the config; in one place only', async (t) => {
    const it = await simple(t, {}, { from: { header: 'x-token', cookie: 'session' } })
    const token = await it.token()
    const authorization = `Bearer ${token}`
    const status = async (headers: Record<string, string>) => (await it.ask(headers)).statusCode
    assert.equal(await status({ 'x-token': token }), 200)
    assert.equal(await status({ cookie: `a=b; session=${token}` }), 200)
    assert.equal(await status({ authorization }), 200)
    assert.equal(await status({ 'x-token': `Bearer ${token}` }), 401)
    assert.equal(await status({ cookie: `session=${token}; session=${token}` }), 400)
    assert.equal(await status({ 'x-token': token, authorization }), 400)
    assert.equal(await status({ cookie: `session=${token}`, 'x-token': token }), 400)
    assert.equal(await status({}), 401)
  })
})

describe('tokens that were verified', () => {
  const hash = (token: string) => createHash('sha256').update(token).digest('base64url')
  const jwt = { from: {}, tokenLimit: 8192, cache: { max: 100, maxAge: 300_000 } }

  /** A verifier in virtual time whose keys a test can take away; every signature is good. */
  function verifier(options: object = {}, own: object = {}) {
    let date = 1_000_000
    const list = new RevocationList(10)
    const state = { verified: 0, known: true, keys: true, vouched: true }
    const key: VerifyKey = {
      kid: 'k',
      algorithms: ['RS256'],
      fingerprint: 'k',
      live: true,
      verify: () => void state.verified++,
    }
    const keys: KeySource = {
      find: () => (state.keys ? [key] : []),
      vouches: () => state.vouched,
      start() {},
      stop() {},
    }
    const rules = {
      issuer: ISSUER,
      audience: ['a'],
      leeway: 0,
      maxAge: undefined,
      typ: undefined,
      required: [],
      subject: 'sub',
      ...own,
    }
    const issuer = {
      rules,
      algorithms: new Set(['RS256']),
      keys,
      revoked: list.of(ISSUER),
      roles: 'roles',
      consumer: undefined,
      consumers: undefined,
    }
    const tokens = new TokenVerifier({ ...jwt, ...options }, [issuer], {
      date: () => date,
      hash,
      consumer: () => undefined,
      knowsRevocations: () => state.known,
    })
    const token = (claims: object = {}) =>
      `${encode({ alg: 'RS256' })}.${encode({ iss: ISSUER, aud: 'a', sub: 's', iat: 1000, exp: 2000, ...claims })}.AAAA`
    const bring = (text: string) => {
      const authorization = `Bearer ${text}`
      return tokens.authenticate({
        headers: { authorization },
        raw: { rawHeaders: ['Authorization', authorization] },
      } as never)
    }
    const at = (ms: number) => {
      date = ms
    }
    const why = (text: string) => (bring(text) as { why?: string }).why ?? 'good'
    return { tokens, state, list, token, bring, why, at }
  }

  it('are known again without a promise, and without being verified', () => {
    const it = verifier()
    const first = it.bring(it.token())
    assert.equal((first as Identity).name, 's')
    assert.equal(it.bring(it.token()), first)
    assert.deepEqual([it.state.verified, it.tokens.hits, it.tokens.misses, it.tokens.size], [1, 1, 1, 1])
    assert.notEqual(it.bring(it.token({ x: 1 })), first)
    assert.equal(it.state.verified, 2)
  })

  it('are good until they expire, and verified anew after cache.maxAge', () => {
    const it = verifier()
    it.bring(it.token())
    it.at(1_300_000)
    assert.equal(it.why(it.token()), 'good')
    assert.equal(it.state.verified, 2)
    it.at(1_599_999)
    assert.equal(it.why(it.token()), 'good')
    assert.equal(it.state.verified, 2)
    it.at(1_900_000)
    assert.equal(it.why(it.token()), 'good')
    it.at(2_000_000)
    assert.equal(it.why(it.token()), 'has expired')
    it.at(1_599_000)
    assert.equal(it.why(it.token()), 'good')
    it.at(999_999)
    assert.equal(it.why(it.token()), 'is not valid yet', 'the clock was set back')
  })

  it('are good no more once their key is withdrawn', () => {
    const it = verifier()
    it.bring(it.token())
    it.state.vouched = false
    it.state.keys = false
    assert.equal(it.why(it.token()), 'is signed with a key that is not known')
    assert.equal(it.tokens.size, 0)
  })

  it('are good no more once they, or all of their subject, are revoked', () => {
    const it = verifier()
    const revoke = (one: Partial<Revocation>) =>
      it.list.add({ issuer: ISSUER, kind: 'jti', value: '', before: 0, until: undefined, ...one })
    const token = it.token({ jti: '7' })
    assert.equal(it.why(token), 'good')
    revoke({ value: '7' })
    assert.equal(it.why(token), 'is revoked')
    assert.equal(it.why(it.token({ jti: '8' })), 'good')
    revoke({ kind: 'subject', value: 's', before: 1_000_000 })
    assert.equal(it.why(it.token({ jti: '8' })), 'is revoked')
    assert.equal(it.why(it.token({ iat: 1000 })), 'is revoked')
    assert.equal(it.why(it.token({ iat: undefined })), 'is revoked')
    assert.equal(it.why(it.token({ sub: 'other' })), 'good')
    it.at(1_001_000)
    assert.equal(it.why(it.token({ iat: 1001 })), 'good', 'issued after that')
    revoke({ issuer: 'https://other.example', kind: 'subject', value: 'other', before: 2e12 })
    assert.equal(it.why(it.token({ sub: 'other' })), 'good', 'the same name with another issuer')
  })

  it('of an issuer whose clock is ahead were good after their subject was signed out everywhere', () => {
    const it = verifier({}, { leeway: 5000 })
    const token = it.token({ iat: 1004 })
    assert.equal(it.why(token), 'good')
    it.list.add({ issuer: ISSUER, kind: 'subject', value: 's', before: 1_000_000, until: undefined })
    assert.equal(it.why(token), 'is revoked')
    it.at(1_006_000)
    assert.equal(it.why(it.token({ iat: 1005 })), 'is revoked')
    assert.equal(it.why(it.token({ iat: 1006 })), 'good', 'later than the two clocks may be apart')
  })

  it('cannot be told good from revoked while that is not known', () => {
    const it = verifier()
    it.bring(it.token())
    it.state.known = false
    assert.throws(() => it.bring(it.token()), /not known which tokens are revoked/)
  })

  it('are bounded, and bad ones take no place', () => {
    const it = verifier({ cache: { max: 3, maxAge: 1000 } })
    for (let i = 0; i < 10; i++) it.bring(it.token({ i }))
    assert.equal(it.tokens.size, 3)
    for (let i = 0; i < 10; i++) it.bring(it.token({ i, aud: 'x' }))
    assert.equal(it.tokens.size, 3)
    const none = verifier({ cache: { max: 0, maxAge: 1000 } })
    for (let i = 0; i < 2; i++) none.bring(none.token())
    assert.deepEqual([none.tokens.size, none.state.verified], [0, 2])
  })

  it('with the real verifier, keys withdrawn by a real publisher take their tokens with them', async (t) => {
    const [a, b, c] = [
      await signingKey('ES256', 'a'),
      await signingKey('ES256', 'b'),
      await signingKey('ES256', 'c'),
    ]
    const provider = await publisher(t, [a])
    const issuer = { issuer: provider.issuer, audience: AUDIENCE, jwksUri: provider.jwksUri, cooldown: 1 }
    const gateway = await guarded(t, { jwt: { issuers: [issuer] } })
    const token = (key: typeof a, claims: object = {}) => sign(key, claimsOf(provider.issuer, claims))
    const old = await token(a)
    for (let i = 0; i < 3; i++) assert.equal((await gateway.bring(old)).statusCode, 200)
    assert.deepEqual(gateway.measured('jwt_cache_hits_total'), { '': 2 })
    assert.equal(provider.fetches, 1)
    provider.keys = [b.jwk]
    assert.equal((await gateway.bring(await token(b))).statusCode, 200)
    assert.equal(provider.fetches, 2, 'one fetch for the new kid')
    assert.equal((await gateway.bring(old)).statusCode, 401)
    provider.answer = { status: 500 }
    await sleep(2)
    assert.equal((await gateway.bring(await token(c))).statusCode, 503, 'it may be a new key')
    assert.ok((gateway.measured('jwks_refresh_failures_total')[provider.issuer] ?? 0) > 0)
    assert.equal((await gateway.bring(await token(b, { x: 1 }))).statusCode, 200)
    const success = gateway.measured('jwks_last_success_timestamp_seconds')[provider.issuer] ?? 0
    assert.ok(Math.abs(success - now()) < 60)
    assert.deepEqual(gateway.measured('jwks_keys'), { [provider.issuer]: 1 })
  })
})

describe('revocations', () => {
  const admin = { admin: { port: 9901 } }

  it('are added, listed and taken back on the admin listener', async (t) => {
    const it = await simple(t, {}, { revocations: { max: 2 } }, admin)
    const listener = it.app.admin as NonNullable<typeof it.app.admin>
    const post = (payload: object) => listener.inject({ method: 'POST', url: '/auth/revocations', payload })
    const token = await it.token({ jti: 'one' })
    assert.equal((await it.bring(token)).statusCode, 200)
    const added = await post({ jti: 'one', until: '2100-01-01T00:00:00Z' })
    assert.equal(added.statusCode, 201)
    const refused = await it.bring(token)
    assert.equal(refused.statusCode, 401)
    assert.match(String(refused.headers['www-authenticate']), /invalid_token.*revoked/)
    assert.equal((await post({ subject: 'bob', before: '2100-01-01T00:00:00Z' })).statusCode, 201)
    assert.equal(await it.status({ sub: 'bob' }), 401)
    assert.equal(await it.status({ sub: 'carol' }), 200)
    assert.deepEqual(it.measured('jwt_revocations'), { '': 2 })
    assert.equal((await post({ jti: 'two' })).statusCode, 507)
    assert.equal((await post({ jti: 'one' })).statusCode, 201, 'the same again takes no place')
    const { revocations } = (await listener.inject('/auth/revocations')).json()
    assert.deepEqual(
      revocations.map(({ jti, subject }: { jti?: string; subject?: string }) => jti ?? subject),
      ['one', 'bob'],
    )
    const remove = (id: string) => listener.inject({ method: 'DELETE', url: `/auth/revocations/${id}` })
    assert.equal((await remove(revocations[0].id)).statusCode, 204)
    assert.equal((await remove(revocations[0].id)).statusCode, 404)
    assert.equal((await remove('nonsense')).statusCode, 404)
    assert.equal((await it.bring(token)).statusCode, 200)
    assert.equal((await post({ jti: 'one', until: '2020-01-01T00:00:00Z' })).statusCode, 201)
    assert.equal((await post({ jti: 'two' })).statusCode, 201, 'one is over, so there is room')

    for (const wrong of [
      {},
      { jti: 'x', subject: 'y' },
      { jti: '' },
      { jti: 7, subject: ['x'] },
      { jti: 'x', before: '2030-01-01' },
      { jti: 'x', until: 'tomorrow' },
      { jti: 'x', issuer: 'https://other.example' },
      { jti: 'x', untli: '2030-01-01' },
    ]) {
      assert.equal((await post(wrong)).statusCode, 400, JSON.stringify(wrong))
    }
  })

  const sorted = (names: string): string => names.split(',').toSorted().join()

  /** A Redis with just this list, which may be away, and any number of mirrors of it. */
  function mirrored() {
    const timers = virtualTimers()
    const log: string[] = []
    let ids = 0
    const redis = {
      away: false,
      hash: new Map<string, string>(),
      changes: [] as string[],
      scans: 0,
      flush() {
        redis.hash.clear()
        redis.changes.length = 0
      },
      /** Puts things back as they are now. */
      snapshot() {
        const then = { hash: new Map(redis.hash), changes: [...redis.changes] }
        return () => void Object.assign(redis, then)
      },
      revoked: () =>
        [...redis.hash].flatMap(([id, text]) => (id.startsWith(':') ? [] : [JSON.parse(text).value])).join(),
      whileScanning: async (): Promise<void> => {},
    }
    const client = {
      hget: async (_: string, field: string) => redis.hash.get(field) ?? null,
      lrange: async () => [...redis.changes],
      async hscan() {
        redis.scans++
        const found = [...redis.hash].flat()
        await redis.whileScanning()
        return ['0', found]
      },
      time: async () => [String(Math.floor(timers.now() / 1000)), String((timers.now() % 1000) * 1000)],
      hdel: async (_: string, ...ids: string[]) => ids.filter((id) => redis.hash.delete(id)).length,
      multi: () => {
        const todo: (() => unknown)[] = []
        const later = (run: () => unknown) => {
          todo.push(run)
          return chain
        }
        const chain = {
          hset: (_: string, id: string, text: string) => later(() => redis.hash.set(id, text)),
          hdel: (_: string, id: string) => later(() => redis.hash.delete(id)),
          rpush: (_: string, text: string) => later(() => redis.changes.push(text)),
          ltrim: (_: string, from: number) =>
            later(() => redis.changes.splice(0, redis.changes.length + from)),
          exec: async () => todo.map((run) => [null, run()]),
        }
        return chain
      },
    }
    const ask: Redis['ask'] = async (command) => {
      if (redis.away) throw new Error('Redis does not answer')
      return command(client as never)
    }
    const join = (aheadMs = 0) => {
      const list = new RevocationList(100)
      const context = {
        now: timers.now,
        date: () => timers.now() + aheadMs,
        after: timers.after,
        log: (_: string, text: string) => log.push(text),
      }
      const mirror = new RevocationMirror(list, new RevocationStore({ ask }, () => `${ids++}`), 1000, context)
      return {
        list,
        mirror,
        names: () =>
          list
            .all()
            .map(({ value }) => value)
            .join(),
      }
    }
    return { timers, redis, log, join }
  }
  const revocation = (value: string, until?: number): Revocation => ({
    issuer: ISSUER,
    kind: 'jti',
    value,
    before: 0,
    until,
  })

  it('are shared by way of Redis, at most `refresh` late, whoever adds or removes them', async () => {
    const { timers, join, redis } = mirrored()
    const [a, b] = [join(), join()]
    await Promise.all([a.mirror.start(), b.mirror.start()])
    assert.equal(await a.mirror.add(revocation('one')), true)
    assert.equal(a.names(), 'one')
    await timers.advance(1000)
    assert.equal(b.names(), 'one')
    assert.equal(await b.mirror.remove(idOf(revocation('one'))), true)
    await timers.advance(1000)
    assert.deepEqual([a.names(), b.names(), redis.revoked()], ['', '', ''])
    const late = join()
    await b.mirror.add(revocation('two'))
    await late.mirror.start()
    assert.equal(late.names(), 'two')
    assert.ok(a.mirror.age <= 1000)
    for (const { mirror } of [a, b, late]) mirror.stop()
    await timers.advance(5000)
    assert.equal(timers.pending(), 0)
  })

  it('are not read anew for each change, but for one who has missed too many', async () => {
    const { timers, join, redis } = mirrored()
    const [a, b] = [join(), join()]
    await Promise.all([a.mirror.start(), b.mirror.start()])
    await a.mirror.add(revocation('0'))
    await timers.advance(1000)
    // At the start, and with the first of all changes.
    assert.equal(redis.scans, 4)
    for (let i = 0; i < 5; i++) await a.mirror.add(revocation(`${i}`))
    await a.mirror.remove(idOf(revocation('3')))
    await a.mirror.add(revocation('1'))
    await timers.advance(1000)
    assert.equal(b.names(), '0,1,2,4')
    assert.equal(redis.scans, 4)
    for (let i = 0; i < 501; i++) {
      await a.mirror.remove(idOf(revocation('x')))
      await a.mirror.add(revocation('x'))
    }
    await timers.advance(1000)
    assert.equal(b.names(), '0,1,2,4,x')
    assert.equal(redis.scans, 6)
    assert.equal(redis.changes.length, 1000)
  })

  it('count here at once while Redis is away, and everywhere when it is back', async () => {
    const { timers, join, redis, log } = mirrored()
    const [a, b] = [join(), join()]
    await Promise.all([a.mirror.start(), b.mirror.start()])
    await a.mirror.add(revocation('before'))
    await timers.advance(1000)
    redis.away = true
    assert.equal(await a.mirror.add(revocation('during')), false)
    await timers.advance(60_000)
    assert.deepEqual([a.names(), b.names()], ['before,during', 'before'])
    await assert.rejects(a.mirror.remove(idOf(revocation('before'))))
    assert.ok(a.mirror.age >= 60_000)
    redis.away = false
    await timers.advance(2000)
    assert.deepEqual([a.names(), b.names()], ['before,during', 'before,during'])
    assert.deepEqual(log, [
      ...Array(2).fill('Redis is away: revocations are not shared (Redis does not answer)'),
      ...Array(2).fill('Redis is back: revocations are shared again'),
    ])
  })

  it('that come while the whole list is read are not lost with the old one', async () => {
    const { join, redis } = mirrored()
    const a = join()
    // Redis had been asked for the list before it was told, and answers after.
    redis.whileScanning = async () => {
      assert.equal(await a.mirror.add(revocation('late')), true)
    }
    await a.mirror.start()
    assert.equal(a.names(), 'late')
  })

  it('are given back to a Redis that has lost them', async () => {
    const { timers, join, redis } = mirrored()
    const a = join()
    await a.mirror.start()
    await a.mirror.add(revocation('one'))
    await timers.advance(1000)
    redis.flush()
    await timers.advance(1000)
    assert.equal(a.names(), 'one')
    assert.equal(redis.revoked(), 'one')
  })

  for (const first of ['a', 'b'] as const) {
    it(`no token is good again because Redis was emptied and then told as much as before, if ${first} looks first`, async () => {
      const { timers, join, redis } = mirrored()
      const gateways = { a: join(), b: join() }
      const { a, b } = gateways
      await gateways[first].mirror.start()
      await timers.advance(1)
      await gateways[first === 'a' ? 'b' : 'a'].mirror.start()
      await a.mirror.add(revocation('old1'))
      await timers.advance(1000)
      assert.equal(b.names(), 'old1')
      redis.away = true
      assert.equal(await b.mirror.add(revocation('new2')), false)
      redis.flush()
      redis.away = false
      await timers.advance(3000)
      assert.deepEqual([a.names(), b.names(), redis.revoked()].map(sorted), Array(3).fill('new2,old1'))

      // Emptied by hand, and told of as many others at once: nothing in numbers has changed.
      redis.flush()
      for (const one of ['new3', 'new4', 'new5']) await b.mirror.add(revocation(one))
      await timers.advance(3000)
      const all = 'new2,new3,new4,new5,old1'
      assert.deepEqual([a.names(), b.names(), redis.revoked()].map(sorted), Array(3).fill(all))
    })
  }

  it('no token is good again because Redis lost a revocation before anybody had looked', async () => {
    const { timers, join, redis } = mirrored()
    const [a, b] = [join(), join()]
    await Promise.all([a.mirror.start(), b.mirror.start()])
    assert.equal(await a.mirror.add(revocation('one')), true)
    redis.flush()
    await timers.advance(3000)
    assert.deepEqual([a.names(), b.names(), redis.revoked()], ['one', 'one', 'one'])
    const earlier = redis.snapshot()
    assert.equal(await b.mirror.add(revocation('two')), true)
    earlier()
    await timers.advance(3000)
    assert.deepEqual([a.names(), b.names(), redis.revoked()], ['one,two', 'one,two', 'one,two'])
    // Told again because it was lost, and not because that was not noticed to have been enough.
    const changes = redis.changes.length
    await timers.advance(10_000)
    assert.equal(redis.changes.length, changes)
  })

  it('no token is good again because Redis came back as it was some time ago, and went on from there', async () => {
    const { timers, join, redis } = mirrored()
    const [a, b] = [join(), join()]
    await Promise.all([a.mirror.start(), b.mirror.start()])
    await a.mirror.add(revocation('one'))
    const earlier = redis.snapshot()
    await a.mirror.add(revocation('two'))
    await timers.advance(1000)
    assert.equal(b.names(), 'one,two')
    earlier()
    // As many changes as there were.
    await b.mirror.add(revocation('three'))
    await timers.advance(3000)
    assert.deepEqual([a.names(), b.names(), redis.revoked()].map(sorted), Array(3).fill('one,three,two'))
    // Taken back for good: nobody brings it up again.
    await a.mirror.remove(idOf(revocation('two')))
    await timers.advance(3000)
    assert.deepEqual([a.names(), b.names(), redis.revoked()].map(sorted), Array(3).fill('one,three'))
  })

  it('are never fewer again, whatever happens to Redis between gateways that add some', async () => {
    const deeds = fc.array(
      fc.constantFrom('add a', 'add b', 'flush', 'keep', 'restore', 'away', 'back', 'wait'),
      {
        maxLength: 25,
      },
    )
    await fc.assert(
      fc.asyncProperty(deeds, async (all) => {
        const { timers, join, redis } = mirrored()
        const gateways = [join(), join()] as const
        await Promise.all(gateways.map(({ mirror }) => mirror.start()))
        let restore = redis.snapshot()
        const added: string[] = []
        for (const deed of all) {
          if (deed.startsWith('add')) {
            added.push(`${added.length}`)
            await gateways[deed === 'add a' ? 0 : 1].mirror.add(revocation(added.at(-1) as string))
          } else if (deed === 'flush') redis.flush()
          else if (deed === 'keep') restore = redis.snapshot()
          else if (deed === 'restore') {
            restore()
            restore = redis.snapshot()
          } else if (deed === 'wait') await timers.advance(1000)
          else redis.away = deed === 'away'
        }
        redis.away = false
        await timers.advance(4000)
        const names = [...gateways.map((one) => one.names()), redis.revoked()]
        assert.deepEqual(names.map(sorted), Array(3).fill(sorted(added.join())))
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  it('are forgotten once what they concern has expired, and what cannot be read is left out', async () => {
    const { timers, join, redis, log } = mirrored()
    const a = join()
    await a.mirror.start()
    await a.mirror.add(revocation('short', 5000))
    await a.mirror.add(revocation('long'))
    redis.hash.set('x', '{"issuer":7}').set('y', 'no JSON')
    await timers.advance(64_000)
    assert.equal(a.names(), 'short,long')
    await timers.advance(1000)
    assert.equal(a.names(), 'long')
    await join().mirror.start()
    assert.deepEqual(
      [...redis.hash.keys()].toSorted(),
      [':latest', 'x', 'y', idOf(revocation('long'))].toSorted(),
    )
    assert.ok(log.includes('2 revocations in Redis cannot be read'))
  })

  it('that count still were taken from all by a gateway whose clock is ahead', async () => {
    const { timers, join, redis } = mirrored()
    const [right, ahead] = [join(), join(600_000)]
    await Promise.all([right.mirror.start(), ahead.mirror.start()])
    await right.mirror.add(revocation('live', 300_000))
    await timers.advance(5000)
    assert.deepEqual([right.names(), ahead.names(), redis.revoked()], ['live', 'live', 'live'])
    const late = join()
    await late.mirror.start()
    assert.equal(late.names(), 'live')
    await timers.advance(360_000)
    assert.deepEqual([right.names(), ahead.names(), redis.revoked()], ['', '', ''])
  })

  it('are not forgotten too soon by a Redis whose clock is ahead of the gateway’s either', async () => {
    const { timers, join, redis } = mirrored()
    const behind = join(-600_000)
    await behind.mirror.start()
    await behind.mirror.add(revocation('live', 0))
    await behind.mirror.add(revocation('over', -700_000))
    await timers.advance(300_000)
    assert.deepEqual([behind.names(), redis.revoked()], ['live', 'live'])
    behind.mirror.stop()
  })

  describe('with a real Redis', { timeout: 60_000, ...needs('redis-server') }, () => {
    const start = async (
      t: TestContext,
      url: string,
      revocations: object = {},
      key: SigningKey | undefined = undefined,
    ) => {
      const signed = key ?? (await signingKey('ES256', 'k'))
      const issuers = [{ issuer: ISSUER, audience: AUDIENCE, publicKey: signed.pem }]
      const jwt = { issuers, revocations: { refresh: '50ms', ...revocations } }
      const gateway = await guarded(t, { jwt }, { config: { redis: { url, timeout: '2s' }, ...admin } })
      return {
        ...gateway,
        key: signed,
        revoke: async (jti: string) => {
          const request = { method: 'POST', url: '/auth/revocations', payload: { jti } } as const
          return (await gateway.app.admin?.inject(request))?.statusCode
        },
        status: async (jti: string) =>
          (await gateway.bring(await sign(signed, claimsOf(ISSUER, { jti })))).statusCode,
        ready: async () => (await gateway.app.inject('/readyz')).statusCode,
        said: (text: string) => gateway.log.filter((line) => line.includes(text)).length,
      }
    }

    it('the first request after a start is answered, and nothing is said of a Redis that is there', async (t) => {
      const redis = await startRedis(t)
      const it = await start(t, redis.url)
      assert.equal(await it.status('one'), 200)
      assert.equal(await it.ready(), 200)
      assert.equal(it.said('Redis is away'), 0)
    })

    it('two gateways, one list; killed, what was known still counts, and it is told again', async (t) => {
      const redis = await startRedis(t)
      const a = await start(t, redis.url)
      const b = await start(t, redis.url, {}, a.key)
      assert.deepEqual([await a.status('one'), await b.status('one')], [200, 200])
      assert.equal(await a.revoke('one'), 201)
      assert.equal(await a.status('one'), 401)
      assert.ok((a.measured('jwt_revocations_age_seconds')[''] ?? 99) < 60)
      await until('the other one', async () => (await b.status('one')) === 401)

      await redis.kill()
      // Told to the other one than before: it, and it alone, has as much to tell as Redis once had.
      assert.equal(await b.revoke('two'), 202)
      assert.deepEqual([await a.status('one'), await a.status('two')], [401, 200])
      assert.deepEqual([await b.status('one'), await b.status('two')], [401, 401])
      assert.equal(await b.status('three'), 200)

      await redis.start()
      for (const gateway of [a, b, await start(t, redis.url, {}, a.key)]) {
        await until('one and two are refused', async () => {
          return (await gateway.status('one')) === 401 && (await gateway.status('two')) === 401
        })
        assert.equal(await gateway.status('three'), 200)
      }
    })

    it('started while it is away, a gateway is not ready until it has heard what is revoked', async (t) => {
      const redis = await startRedis(t)
      const old = await start(t, redis.url)
      assert.equal(await old.revoke('one'), 201)
      await redis.kill()
      await until('it is missed', () => old.said('Redis is away') === 1)
      const late = await start(t, redis.url, {}, old.key)
      assert.deepEqual([await late.status('two'), await late.ready()], [503, 503])
      // Who is replaced goes on, and is not taken out for what all are missing.
      assert.deepEqual([await old.status('two'), await old.ready()], [200, 200])
      const careless = await start(t, redis.url, { staleAfter: 0 }, old.key)
      assert.deepEqual([await careless.status('two'), await careless.ready()], [200, 200])
      const alone = await start(t, redis.url, { store: 'local' }, old.key)
      assert.deepEqual([await alone.status('two'), await alone.ready()], [200, 200])
      assert.equal(await alone.revoke('three'), 201)

      await redis.start()
      await until('ready', async () => (await late.ready()) === 200)
      assert.equal(await late.status('two'), 200)
      await until('what was lost', async () => (await late.status('one')) === 401)
      assert.equal(await old.status('three'), 200, 'the list of one that is alone is its own')
    })
  })
})

describe('the config of jwt', () => {
  it('is refused with all that is wrong, and the remedy', async () => {
    const { cert } = createAuthority()
    const issuers = {
      'a.example': {},
      'https://b.example': { secret: 'short' },
      'https://c.example': { secret: SECRET, algorithms: ['HS256', 'RS256'] },
      'https://d.example': { algorithms: ['HS256'] },
      'https://e.example': { secret: cert },
      'https://f.example': { secret: SECRET, algorithms: ['HS512'] },
      'https://g.example': { jwksUri: 'http://g.example/jwks' },
      'https://h.example': { secret: SECRET, publicKey: cert },
      'https://i.example': { publicKey: '/no/such.pem' },
      'https://j.example': { publicKey: cert, ca: cert },
      'https://k.example': { ca: '/no/such.pem' },
      'https://l.example': { refresh: '1d', keepKeysFor: '1d' },
      'http://m.example': {},
    }
    const jwt = {
      issuers: [
        ...Object.entries(issuers).map(([issuer, more]) => ({ issuer, audience: 'x', ...more })),
        { issuer: 'https://d.example', audience: 'x' },
      ],
      from: { header: 'authorization' },
      revocations: { store: 'redis' },
    }
    const { problems } = await readGateway({ auth: { jwt }, upstreams: {}, routes: [] }, 'test.config.ts')
    const said = problems.map(({ path, message }) => `${path.replace('auth.jwt.', '')}: ${message}`)
    const at = (i: number) => `issuers[${i}]`
    assert.deepEqual(said, [
      `${at(0)}.issuer: is no https address, so its keys cannot be discovered; set \`jwksUri\`, \`publicKey\` or \`secret\``,
      `${at(1)}.secret: has 5 bytes, and 32 are needed; make one with \`openssl rand -base64 32\``,
      `${at(2)}.algorithms: a \`secret\` goes with HS256, HS384 and HS512 only; take the others out`,
      `${at(3)}.algorithms: HS256, HS384 and HS512 need a \`secret\`; take them out, or set it`,
      `${at(4)}.secret: is a key, and a public one is no secret; give it as \`publicKey\``,
      `${at(5)}.secret: has 49 bytes, and 64 are needed; make one with \`openssl rand -base64 64\``,
      `${at(6)}.jwksUri: is no https address; write one like "https://id.example.com/jwks"`,
      `${at(7)}.secret: stands beside \`publicKey\`; an issuer has its keys from one place only, so take one out`,
      `${at(8)}.publicKey: no file "/no/such.pem"; give PEM text or the path of a PEM file`,
      `${at(9)}.ca: has nothing to be used for; take it out`,
      `${at(10)}.ca: no file "/no/such.pem"; give PEM text or the path of a PEM file`,
      `${at(11)}.keepKeysFor: is less than two times \`refresh\`: one failed fetch would use it up; make it longer`,
      `${at(12)}.issuer: is no https address, so its keys cannot be discovered; set \`jwksUri\`, \`publicKey\` or \`secret\``,
      `${at(13)}.issuer: stands there twice; put what differs into one entry`,
      'from.header: is where tokens are looked for anyway, after "Bearer"; take it out',
      'revocations.store: there is no Redis; add `redis: { url: process.env.REDIS_URL }` to the config, or take "local"',
    ])
    const naming = {
      'https://a.example': { consumers: ['acme'] },
      'https://b.example': { consumer: 'azp', consumers: ['acme', 'acmee'] },
    }
    const namers = Object.entries(naming).map(([issuer, more]) => ({ issuer, audience: 'x', ...more }))
    const introspection = {
      endpoint: 'https://i.example',
      clientId: 'a',
      clientSecret: SECRET,
      consumers: ['acme'],
    }
    const unnamed = await readGateway(
      {
        auth: { jwt: { issuers: namers }, introspection },
        consumers: { acme: {} },
        upstreams: {},
        routes: [],
      },
      'test.config.ts',
    )
    assert.deepEqual(
      unnamed.problems.map(({ path, message }) => `${path}: ${message}`),
      [
        'auth.jwt.issuers[0].consumers: does nothing without `consumer`, the claim that names one of them; add that',
        'auth.jwt.issuers[1].consumers[1]: there is no consumer "acmee"; did you mean "acme"?',
        'auth.introspection.consumers: does nothing without `consumer`, the claim that names one of them; add that',
      ],
    )
    const nonsense = {
      'https://a.example': { audience: 'x', algorithms: ['none'] },
      'https://b.example': {},
      'https://c.example': { audience: [] },
      'https://c2.example': { audience: true },
      'https://d.example': { audience: 'x', algorithms: [] },
      'https://e.example': { audience: 'x', secret: 1234567 },
    }
    const listed = Object.entries(nonsense).map(([issuer, more]) => ({ issuer, ...more }))
    const refused = await readGateway(
      { auth: { jwt: { issuers: listed } }, upstreams: {}, routes: [] },
      'test.config.ts',
    )
    assert.deepEqual(
      refused.problems.map(({ path }) => path.replace('auth.jwt.', '')),
      [
        `${at(0)}.algorithms[0]`,
        `${at(1)}.audience`,
        `${at(2)}.audience`,
        `${at(3)}.audience`,
        `${at(4)}.algorithms`,
        `${at(5)}.secret`,
      ],
    )
    assert.ok(refused.problems.every(({ message }) => !message.includes('1234567')))
    assert.match(refused.problems[0]?.message ?? '', /"none" is not one of the choices/)
    const nobody = await readGateway(
      { auth: { jwt: { issuers: [] } }, upstreams: {}, routes: [] },
      'test.config.ts',
    )
    assert.match(nobody.problems[0]?.message ?? '', /at least one issuer/)
  })
})
