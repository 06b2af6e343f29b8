/** Where issuers' keys come from: which are taken, when they are fetched, how long they are kept. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import type http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { ConfiguredKeys } from '../../plugins/auth/jwt/configured-keys.ts'
import { discoveryUrl, isSafeUrl, jwksUriOf, keyFetcher } from '../../plugins/auth/jwt/discovery.ts'
import { fetchJson } from '../../plugins/auth/jwt/fetch-json.ts'
import { type PublishedKey, readJwkSet } from '../../plugins/auth/jwt/jwk.ts'
import type { VerifyKey } from '../../plugins/auth/jwt/key-ring.ts'
import { publicKeyProblem } from '../../plugins/auth/jwt/public-keys.ts'
import { fingerprintOf, PublishedKeys } from '../../plugins/auth/jwt/published-keys.ts'
import { virtualTimers } from '../health-check/virtual-timers.ts'
import { createAuthority } from '../support/certificates.ts'
import { deadOrigin, listen } from '../support/target.ts'
import { AUDIENCE, claimsOf, guarded, publisher, type SigningKey, sign, signingKey } from './tokens.ts'

const jwk = (kid: string, n = 'A'): Record<string, unknown> => ({
  kty: 'RSA',
  kid,
  e: 'AQAB',
  n: Buffer.alloc(256, n.charCodeAt(0)).fill(0xff, 0, 1).toString('base64url'),
})

/** An issuer's keys in virtual time; `keys` is what it publishes, an Error what a fetch fails with. */
function source(rules: Partial<ConstructorParameters<typeof PublishedKeys>[0]> = {}) {
  const timers = virtualTimers()
  const log: string[] = []
  const state = {
    keys: [jwk('a')] as readonly object[] | Error,
    fetches: 0,
    fetchedAt: [] as number[],
    built: 0,
    /** Fetches wait for this. */
    gate: undefined as Promise<void> | undefined,
  }
  const verifier = (key: PublishedKey): VerifyKey => {
    state.built++
    return {
      kid: key.kid,
      algorithms: key.algorithms,
      fingerprint: fingerprintOf(key),
      live: true,
      verify: () => {},
    }
  }
  const keys = new PublishedKeys(
    { refresh: 300_000, cooldown: 30_000, keepKeysFor: 86_400_000, ...rules },
    {
      now: timers.now,
      date: timers.now,
      random: () => 0.5,
      after: timers.after,
      async fetch() {
        state.fetches++
        state.fetchedAt.push(timers.now())
        await state.gate
        if (state.keys instanceof Error) throw state.keys
        return { keys: state.keys }
      },
      build: async (published) => published.map(verifier),
      log: (level, text) => log.push(`${level}: ${text}`),
    },
  )
  const find = async (kid: string | undefined): Promise<string> => {
    try {
      return (await keys.find(kid, 'RS256')).map((key) => key.kid).join() || 'unknown'
    } catch {
      return 'unavailable'
    }
  }
  return { keys, state, timers, log, find }
}

describe('published keys', () => {
  it('are fetched at the start, once for all who wait, and then known without a promise', async () => {
    const it = source()
    it.keys.start()
    assert.deepEqual(await Promise.all([it.find('a'), it.find('a'), it.find('b')]), ['a', 'a', 'unknown'])
    assert.equal(it.state.fetches, 1)
    assert.ok(Array.isArray(it.keys.find('a', 'RS256')))
    assert.deepEqual(it.log, ['info: the issuer has 1 keys'])
    assert.equal(it.keys.lastSuccess, 0)
  })

  it('are fetched again in the background, and the same key stays the same', async () => {
    const it = source()
    it.keys.start()
    await it.timers.advance(0)
    const [before] = await it.keys.find('a', 'RS256')
    it.state.keys = [jwk('a'), jwk('b')]
    await it.timers.advance(300_000)
    assert.deepEqual([it.state.fetches, it.state.built], [2, 2])
    assert.equal((await it.keys.find('a', 'RS256'))[0], before)
    assert.equal(before?.live, true)
    assert.equal(it.keys.lastSuccess, 300)
  })

  it('that are withdrawn, or are others under the same kid, vouch for nothing any more', async () => {
    for (const next of [[jwk('b')], [jwk('a', 'B')]]) {
      const it = source()
      it.keys.start()
      await it.timers.advance(0)
      const [key] = await it.keys.find('a', 'RS256')
      assert.ok(key !== undefined && it.keys.vouches(key))
      it.state.keys = next
      await it.timers.advance(300_000)
      assert.equal(it.keys.vouches(key), false)
      assert.notEqual((await it.keys.find('a', 'RS256'))[0], key)
    }
  })

  it('unknown ones are asked for once per cool-down, however many tokens name them', async () => {
    const it = source()
    it.keys.start()
    await it.timers.advance(0)
    for (let i = 0; i < 1000; i++) assert.equal(await it.find(`random ${i}`), 'unknown')
    assert.equal(it.state.fetches, 2)
    await it.timers.advance(30_000)
    it.state.keys = [jwk('a'), jwk('new')]
    const many = Array.from({ length: 500 }, (_, i) => it.find(`random ${i}`))
    assert.equal(await it.find('new'), 'new')
    assert.deepEqual(new Set(await Promise.all(many)), new Set(['unknown']))
    assert.equal(it.state.fetches, 3)
    for (let i = 0; i < 100; i++) await it.find(`random ${i}`)
    assert.equal(it.state.fetches, 3)
    await it.timers.advance(60_000)
    assert.equal(it.state.fetches, 3, 'by itself nothing is fetched before its time')
  })

  it('a new one was refused for a while after keys had been fetched in the background', async () => {
    const it = source()
    it.keys.start()
    await it.timers.advance(300_000)
    assert.equal(it.state.fetches, 2)
    await it.timers.advance(1000)
    it.state.keys = [jwk('a'), jwk('new')]
    assert.equal(await it.find('new'), 'new')
    assert.equal(await it.find('made up'), 'unknown')
    assert.equal(it.state.fetches, 3, 'tokens cause one per cool-down all the same')
  })

  it('a token without a kid has the key that fits, if it is the only one', async () => {
    const it = source()
    it.keys.start()
    assert.equal(await it.find(undefined), 'a')
    it.state.keys = [jwk('a'), jwk('b')]
    await it.timers.advance(300_000)
    assert.equal(await it.find(undefined), 'unknown')
  })

  it('are kept while the issuer is away, for keepKeysFor and no longer', async () => {
    const it = source({ keepKeysFor: 3_600_000 })
    it.keys.start()
    await it.timers.advance(0)
    const [key] = await it.keys.find('a', 'RS256')
    it.state.keys = new Error('is down')
    await it.timers.advance(3_599_999)
    assert.equal(await it.find('a'), 'a')
    assert.equal(it.keys.vouches(key as VerifyKey), true)
    assert.ok(it.keys.failures > 60, 'it is asked every half a minute or so')
    await it.timers.advance(1)
    assert.equal(await it.find('a'), 'unavailable')
    assert.equal(it.keys.vouches(key as VerifyKey), false)
    await it.timers.advance(60_000)
    it.state.keys = [jwk('a')]
    await it.timers.advance(60_000)
    assert.equal(await it.find('a'), 'a')
    assert.deepEqual(it.log, [
      'info: the issuer has 1 keys',
      "warn: the issuer's keys cannot be fetched, its last keys are kept: is down",
      "error: the issuer's last keys are older than keepKeysFor: requests with its tokens get 503",
      `info: the issuer's keys are there again, after ${it.keys.failures} failures`,
    ])
  })

  for (const [what, published] of [
    ['none', []],
    ['none that can be used', [{ ...jwk('a'), alg: 'none' }]],
  ] as [string, object[]][]) {
    it(`are kept while the issuer publishes ${what}, as one does that is just starting`, async () => {
      const it = source()
      it.state.keys = published
      it.keys.start()
      assert.equal(await it.find('a'), 'unavailable')
      it.state.keys = [jwk('a')]
      await it.timers.advance(1000)
      const [key] = await it.keys.find('a', 'RS256')
      it.state.keys = published
      await it.timers.advance(600_000)
      assert.equal(await it.find('a'), 'a')
      assert.equal(it.keys.vouches(key as VerifyKey), true)
      assert.match(it.log.at(-1) ?? '', /its last keys are kept: it publishes no key that can be used/)
      it.state.keys = [jwk('b')]
      await it.timers.advance(60_000)
      assert.equal(await it.find('b'), 'b')
      assert.equal(it.keys.vouches(key as VerifyKey), false)
    })
  }

  it('that were never there: 503 until they are; an unknown one may be new while the issuer is away', async () => {
    const it = source()
    it.state.keys = new Error('is down')
    it.keys.start()
    assert.equal(await it.find('a'), 'unavailable')
    assert.equal(await it.find('a'), 'unavailable')
    assert.equal(it.state.fetches, 1)
    it.state.keys = [jwk('a')]
    await it.timers.advance(1000)
    assert.equal(await it.find('a'), 'a')
    it.state.keys = new Error('is down')
    await it.timers.advance(30_000)
    assert.equal(await it.find('b'), 'unavailable')
    assert.equal(await it.find('a'), 'a')
  })

  it('failed fetches are repeated after 1, 2, 4 ... seconds, less a bit, and then every 30', async () => {
    const it = source()
    it.state.keys = new Error('is down')
    it.keys.start()
    await it.timers.advance(120_000)
    const pauses = it.state.fetchedAt.slice(1).map((at, i) => at - (it.state.fetchedAt[i] as number))
    assert.deepEqual(pauses, [750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500, 22_500])
  })

  it('a fetch that hangs holds up so many requests and no more', async () => {
    const it = source()
    let open = (): void => {}
    it.state.gate = new Promise((resolve) => {
      open = resolve
    })
    it.keys.start()
    const waiting = Array.from({ length: 1000 }, () => it.find('a'))
    assert.equal(await it.find('a'), 'unavailable')
    open()
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['a']))
    assert.equal(it.state.fetches, 1)
  })

  it('are not fetched any more once the gateway has closed', async () => {
    const it = source()
    it.keys.start()
    await it.timers.advance(0)
    it.keys.stop()
    await it.timers.advance(3_600_000)
    assert.equal(it.state.fetches, 1)
    assert.equal(it.timers.pending(), 0)
  })
})

describe('which published keys are taken', () => {
  const ec = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }
  const okp = { kty: 'OKP', crv: 'Ed25519', x: 'AA' }
  const kids = (keys: readonly object[]) =>
    readJwkSet({ keys }).keys.map(({ kid, algorithms }) => [kid, algorithms.join()])

  it('those that say nothing, or say that they are for signatures, each for its algorithms', () => {
    const rsa = 'RS256,RS384,RS512,PS256,PS384,PS512'
    assert.deepEqual(kids([jwk('plain')]), [['plain', rsa]])
    assert.deepEqual(kids([{ ...jwk('use'), use: 'sig', key_ops: ['verify'] }]), [['use', rsa]])
    assert.deepEqual(kids([{ ...jwk('alg'), alg: 'PS256' }]), [['alg', 'PS256']])
    assert.deepEqual(kids([{ ...ec, kid: 'ec' }]), [['ec', 'ES256']])
    assert.deepEqual(kids([{ ...ec, kid: 'ec', crv: 'P-521', alg: 'ES512' }]), [['ec', 'ES512']])
    for (const alg of [undefined, 'EdDSA', 'Ed25519'])
      assert.deepEqual(kids([{ ...okp, kid: 'ed', alg }]), [['ed', 'EdDSA']])
    assert.deepEqual(kids([{ ...jwk('x'), kid: undefined }]), [[undefined, rsa]])
  })

  it('and no others, each with the reason', () => {
    const bits = (count: number) => Buffer.alloc(count / 8, 0xff).toString('base64url')
    const wrong: Record<string, object | null | string> = {
      'is of a kind that is not taken': { kty: 'oct', kid: 'x' },
      'is of a kind that is not taken ': { kid: 'x' },
      'is published with its private part': { ...jwk('x'), d: 'AA' },
      'is published with its private part ': { kty: 'oct', k: 'c2VjcmV0', kid: 'x' },
      'is an RSA key of 1024 bits': { ...jwk('x'), n: bits(1024) },
      'is an RSA key of 2040 bits': { ...jwk('x'), n: bits(2040) },
      'is an RSA key of 2040 bits ': {
        ...jwk('x'),
        n: Buffer.concat([Buffer.alloc(9), Buffer.alloc(255, 0xff)]).toString('base64url'),
      },
      'is an RSA key of 2047 bits': { ...jwk('x'), n: Buffer.alloc(256, 0x7f).toString('base64url') },
      'is an RSA key of 32768 bits': { ...jwk('x'), n: bits(32_768) },
      'is an RSA key of 0 bits': { ...jwk('x'), n: 'AAAA' },
      'is an RSA key with the exponent 1': { ...jwk('x'), e: 'AQ' },
      'is an RSA key with the exponent 0': { ...jwk('x'), e: 'AA' },
      'is an RSA key with the exponent 65536': { ...jwk('x'), e: 'AQAA' },
      'lacks a part': { ...jwk('x'), e: undefined },
      'lacks a part ': { ...jwk('x'), n: 'a b' },
      'lacks a part  ': { ...ec, y: undefined },
      'has an alg that does not go with it': { ...jwk('x'), alg: 'ES256' },
      'has an alg that does not go with it ': { ...jwk('x'), alg: 'HS256' },
      'has an alg that does not go with it  ': { ...jwk('x'), alg: 'none' },
      'has an alg that does not go with it   ': { ...ec, alg: 'ES384' },
      'has the curve secp256k1': { ...ec, crv: 'secp256k1' },
      'has the curve __proto__': { ...ec, crv: '__proto__' },
      'has the curve X25519': { ...okp, crv: 'X25519' },
      'has no curve': { ...ec, crv: undefined },
      'has a kid that is no text': { ...jwk('x'), kid: 7 },
      'is no object': null,
      'is no object ': 'key',
    }
    for (const [reason, key] of Object.entries(wrong)) {
      const { keys, left } = readJwkSet({ keys: [key, jwk('good')] })
      assert.deepEqual(
        keys.map(({ kid }) => kid),
        ['good'],
        reason,
      )
      assert.match(left[0] ?? '', new RegExp(`^key 0 ${reason.trim()}`))
    }
  })

  it('those for something else are passed over in silence: many issuers have them', () => {
    const others = [
      { ...jwk('x'), use: 'enc' },
      { ...jwk('x'), key_ops: ['encrypt'] },
      { ...jwk('x'), use: 'sig', key_ops: 'verify' },
      { ...jwk('x'), use: 'sig', key_ops: [] },
    ]
    assert.deepEqual(readJwkSet({ keys: others }), { keys: [], left: [] })
  })

  it('one key twice is one; two keys under one kid are none, unless their algorithms tell them apart', () => {
    assert.deepEqual(readJwkSet({ keys: [jwk('a'), jwk('a')] }).keys.length, 1)
    const { keys, left } = readJwkSet({ keys: [jwk('a'), jwk('a', 'B'), jwk('b')] })
    assert.deepEqual(
      keys.map(({ kid }) => kid),
      ['b'],
    )
    assert.deepEqual(left, ['"a" is the kid of several keys', '"a" is the kid of several keys'])
    assert.equal(readJwkSet({ keys: [jwk('a'), { ...ec, kid: 'a' }] }).keys.length, 2)
  })

  it('what is no set, or a huge one, is refused as a whole', () => {
    for (const document of [null, [], {}, { keys: {} }, { keys: 'a' }, 'x', 7]) {
      assert.throws(() => readJwkSet(document), /no set of keys/)
    }
    assert.throws(() => readJwkSet({ keys: Array.from({ length: 101 }, () => jwk('a')) }), /101 keys/)
    assert.deepEqual(readJwkSet({ keys: [] }), { keys: [], left: [] })
  })
})

describe('keys in the config', () => {
  const spki = (key: { publicKey: { export(options: object): string | Buffer } }): string =>
    key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  it('weak ones, private ones and those that no algorithm uses are refused', () => {
    assert.equal(publicKeyProblem(spki(ecKey), undefined), undefined)
    assert.equal(publicKeyProblem(createAuthority().cert, undefined), undefined)
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    assert.match(publicKeyProblem(spki(weak), undefined) ?? '', /1024 bits/)
    const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    assert.match(publicKeyProblem(spki(secp256k1), undefined) ?? '', /secp256k1/)
    assert.match(publicKeyProblem(spki(generateKeyPairSync('ed448')), undefined) ?? '', /ed448/)
    const secret = ecKey.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    assert.match(publicKeyProblem(secret, undefined) ?? '', /private key/)
    assert.match(publicKeyProblem('/no/such/file.pem', undefined) ?? '', /^no file "/)
    assert.match(publicKeyProblem('-----BEGIN', undefined) ?? '', /no key in PEM form/)
    assert.match(publicKeyProblem(spki(ecKey), ['RS256']) ?? '', /none of the `algorithms`/)
  })

  it('several are tried, so that one can be replaced', async (t) => {
    const [old, fresh] = [await signingKey('ES256', 'x'), await signingKey('ES256', 'x')]
    const publicKey = [old.pem, fresh.pem]
    const { bring } = await guarded(t, {
      jwt: { issuers: [{ issuer: 'https://a.example', audience: AUDIENCE, publicKey }] },
    })
    for (const key of [old, fresh]) {
      assert.equal((await bring(await sign(key, claimsOf('https://a.example')))).statusCode, 200)
    }
    const stranger = await signingKey('ES256', 'x')
    assert.equal((await bring(await sign(stranger, claimsOf('https://a.example')))).statusCode, 401)
  })

  it('each algorithm is verified', async (t) => {
    const names = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
    const rsa = await signingKey('RS256', 'rsa')
    const keys: SigningKey[] = []
    for (const alg of names) {
      keys.push(/^[RP]S/.test(alg) ? { ...rsa, alg } : await signingKey(alg, alg))
    }
    const provider = await publisher(t, [rsa, ...keys.slice(6)])
    const { bring } = await guarded(t, {
      jwt: {
        issuers: [
          { issuer: provider.issuer, audience: AUDIENCE },
          {
            issuer: 'https://a.example',
            audience: AUDIENCE,
            publicKey: [rsa, ...keys.slice(6)].map(({ pem }) => pem),
          },
          { issuer: 'https://rs256.example', audience: AUDIENCE, publicKey: rsa.pem, algorithms: ['RS256'] },
        ],
      },
    })
    for (const key of keys) {
      for (const issuer of [provider.issuer, 'https://a.example']) {
        assert.equal((await bring(await sign(key, claimsOf(issuer)))).statusCode, 200, `${key.alg} ${issuer}`)
      }
      const { statusCode } = await bring(await sign(key, claimsOf('https://rs256.example')))
      assert.equal(statusCode, key.alg === 'RS256' ? 200 : 401, key.alg)
    }
  })

  it('EdDSA was not known by its newer name, Ed25519 (RFC 9864)', async (t) => {
    const [key, other] = [await signingKey('Ed25519', 'ed'), await signingKey('Ed25519', 'ed')]
    const published: SigningKey = { ...key, jwk: { ...key.jwk, alg: 'Ed25519', use: 'sig' } }
    const provider = await publisher(t, [published])
    const { bring } = await guarded(t, {
      jwt: {
        issuers: [
          { issuer: provider.issuer, audience: AUDIENCE },
          { issuer: 'https://a.example', audience: AUDIENCE, publicKey: key.pem, algorithms: ['EdDSA'] },
        ],
      },
    })
    for (const issuer of [provider.issuer, 'https://a.example']) {
      for (const alg of ['Ed25519', 'EdDSA']) {
        const token = await sign({ ...key, alg }, claimsOf(issuer))
        assert.equal((await bring(token)).statusCode, 200, `${alg} ${issuer}`)
        const forged = await sign({ ...other, alg }, claimsOf(issuer))
        assert.equal((await bring(forged)).statusCode, 401, `${alg} ${issuer}`)
        const cut = token.slice(0, token.lastIndexOf('.') + 5)
        assert.equal((await bring(cut)).statusCode, 401, `${alg} ${issuer}`)
      }
    }
  })

  it('a published one that is no point of its curve is left out, the others are used', async (t) => {
    const [good, bad] = [await signingKey('ES256', 'good'), await signingKey('ES256', 'bad')]
    const provider = await publisher(t, [good])
    const at = Buffer.alloc(32, 7).toString('base64url')
    provider.keys.push({ ...bad.jwk, x: at, y: at })
    const issuers = [{ issuer: provider.issuer, audience: AUDIENCE, jwksUri: provider.jwksUri }]
    const { bring, log } = await guarded(t, { jwt: { issuers } })
    assert.equal((await bring(await sign(good, claimsOf(provider.issuer)))).statusCode, 200)
    assert.equal((await bring(await sign(bad, claimsOf(provider.issuer)))).statusCode, 401)
    assert.ok(
      log.some((line) => line.includes('left out') && line.includes('bad')),
      log.join(''),
    )
  })

  it('of no algorithm find nothing', async () => {
    const keys = new ConfiguredKeys(async () => [])
    await keys.start()
    assert.deepEqual(keys.find(undefined, '__proto__'), [])
  })
})

describe('discovery', () => {
  it('takes the document of the very issuer, and keys over https only', () => {
    assert.equal(
      discoveryUrl('https://a.example/x/').href,
      'https://a.example/x/.well-known/openid-configuration',
    )
    const document = { issuer: 'https://a.example', jwks_uri: 'https://a.example/jwks' }
    assert.equal(jwksUriOf(document, 'https://a.example').href, 'https://a.example/jwks')
    for (const issuer of ['https://a.example/', 'https://A.example', 'https://b.example', undefined]) {
      assert.throws(() => jwksUriOf({ ...document, issuer }, 'https://a.example'), /not that of/)
    }
    for (const uri of [
      undefined,
      '',
      '/jwks',
      'http://a.example/jwks',
      'file:///etc/passwd',
      'https://u:p@a.example/',
      {},
    ]) {
      assert.throws(() => jwksUriOf({ ...document, jwks_uri: uri }, 'https://a.example'), /no https address/)
    }
    assert.throws(() => jwksUriOf(null, 'https://a.example'))
    for (const url of ['http://localhost:1/', 'http://127.0.0.1/', 'http://[::1]/']) assert.ok(isSafeUrl(url))
    assert.ok(!isSafeUrl('http://127.0.0.1.evil.example/'))
  })

  it('is made once, and anew when the keys are not there any more, or there are none', async () => {
    const asked: string[] = []
    let down = false
    let keys: unknown = [jwk('a')]
    const fetch = keyFetcher({ issuer: 'https://a.example' }, async ({ pathname }) => {
      asked.push(pathname)
      if (pathname === '/jwks' && down) throw new Error('gone')
      if (pathname === '/jwks') return { keys }
      return { issuer: 'https://a.example', jwks_uri: 'https://a.example/jwks' }
    })
    const { signal } = new AbortController()
    await fetch(signal)
    await fetch(signal)
    down = true
    await assert.rejects(fetch(signal))
    down = false
    await fetch(signal)
    const discovered = '/.well-known/openid-configuration'
    assert.deepEqual(asked, [discovered, '/jwks', '/jwks', '/jwks', discovered, '/jwks'])
    for (keys of [[], 'nonsense']) {
      await fetch(signal)
      asked.length = 0
      await fetch(signal)
      assert.deepEqual(asked, [discovered, '/jwks'])
    }
  })
})

describe('fetching a document', () => {
  const { signal } = new AbortController()
  const get = (origin: string, timeoutMs = 5000) => fetchJson(new URL(origin), { timeoutMs, signal })

  async function serve(t: TestContext, listener: http.RequestListener): Promise<string> {
    const server = await listen(listener)
    t.after(() => server.close())
    return server.origin
  }

  it('takes JSON with 200 and nothing else: no redirect, no page, nothing huge, nothing cut', async (t) => {
    assert.deepEqual(await get(await serve(t, (_, response) => response.end('{"a":1}'))), { a: 1 })
    const wrong: [http.RequestListener, RegExp][] = [
      [(_, response) => response.writeHead(302, { location: '/other' }).end(), /answered 302/],
      [(_, response) => response.writeHead(500).end('{}'), /answered 500/],
      [(_, response) => response.end('<html>'), /did not answer with JSON/],
      [(_, response) => response.end('x'.repeat(600_000)), /more than 524288 bytes/],
      [
        (_, response) =>
          void response.writeHead(200, { 'content-length': 9 }).write('{', () => response.destroy()),
        /aborted|hang up/,
      ],
    ]
    for (const [listener, message] of wrong) await assert.rejects(get(await serve(t, listener)), message)
    await assert.rejects(get(await deadOrigin()), /ECONNREFUSED/)
  })

  it('ends after its time, whether nothing comes or a byte now and then', async (t) => {
    const silent = await serve(t, () => {})
    await assert.rejects(get(silent, 50), /no answer from 127\.0\.0\.1:\d+ within 50 ms/)
    const slow = await serve(t, (_, response) => {
      const timer = setInterval(() => response.write(' '), 10)
      response.on('close', () => clearInterval(timer))
    })
    await assert.rejects(get(slow, 200), /within 200 ms/)
  })

  it('verifies who answers: the system’s authorities, or that of the config', async (t) => {
    const authority = createAuthority()
    const { cert, key } = authority.issue('localhost')
    const server = https
      .createServer({ cert, key }, (_, response) => response.end('{}'))
      .listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const ask = (host: string, ca?: string) =>
      fetchJson(new URL(`https://${host}:${port}`), { ca, timeoutMs: 5000, signal })
    assert.deepEqual(await ask('localhost', authority.cert), {})
    await assert.rejects(ask('localhost'), /certificate/)
    await assert.rejects(ask('localhost', createAuthority('Other').cert), /certificate/)
    await assert.rejects(ask('127.0.0.1', authority.cert), /altnames/)
  })

  it('goes by `ca` and `timeout` of the issuer', async (t) => {
    const authority = createAuthority()
    const signing = await signingKey('ES256', 'k')
    const { cert, key } = authority.issue('localhost')
    const answer: http.RequestListener = (_, response) =>
      response.end(JSON.stringify({ keys: [signing.jwk] }))
    const server = https.createServer({ cert, key }, answer).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const jwksUri = `https://localhost:${(server.address() as AddressInfo).port}/jwks`
    const silent = await publisher(t, [signing])
    silent.answer = { hang: true }
    const issuer = { audience: AUDIENCE, jwksUri }
    const gateway = await guarded(t, {
      jwt: {
        issuers: [
          { ...issuer, issuer: 'https://file.example', ca: authority.certFile },
          { ...issuer, issuer: 'https://text.example', ca: authority.cert },
          { ...issuer, issuer: 'https://strange.example' },
          { issuer: silent.issuer, audience: AUDIENCE, timeout: '50ms' },
        ],
      },
    })
    const status = async (iss: string) => (await gateway.bring(await sign(signing, claimsOf(iss)))).statusCode
    assert.equal(await status('https://file.example'), 200)
    assert.equal(await status('https://text.example'), 200)
    assert.equal(await status('https://strange.example'), 503)
    assert.equal(await status(silent.issuer), 503)
    assert.ok(gateway.log.some((line) => /no answer from 127\.0\.0\.1:\d+ within 50 ms/.test(line)))
  })
})
