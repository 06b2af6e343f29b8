/** Consumers: one caller, whichever way it proves itself. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { makeKey } from '../../plugins/auth/api-key/key.ts'
import { hashPassword } from '../../plugins/auth/basic/node.ts'
import { type Consumers, consumerReader, expiredKeys } from '../../plugins/auth/consumers.ts'
import { dateMs } from '../../plugins/config/dates.ts'
import { ExpiringMap } from '../../plugins/upstreams/expiring-map.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'
import { snippetsOf } from '../docs/snippets.ts'
import { ownHouse, startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { ask } from '../transport/support.ts'
import { expectProblems, gatewayTo, problemsOf } from './support.ts'

const hashOf = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`

test('a consumer is the same to quotas and rules whichever credential it brings', async (t) => {
  const key = makeKey(new Uint8Array(32).fill(1))
  const target = await startTarget(t)
  const seen: (Identity | null)[] = []
  const { port } = await gatewayTo(t, target.origin, {
    config: {
      auth: { basic: {}, 'api-key': {} },
      consumers: {
        acme: {
          plan: 'gold',
          scopes: ['orders:read'],
          roles: ['partner'],
          claims: { region: 'eu' },
          apiKeys: [hashOf(key)],
          password: await hashPassword('open', { ln: 10, r: 8, p: 1 }),
        },
      },
    },
    route: { auth: ['api-key', 'basic'] },
    use: async (app) => app.onRequestEnd(({ identity }) => void seen.push(identity)),
  })
  await ask(port, { headers: { 'x-api-key': key } })
  await ask(port, { headers: { authorization: `Basic ${Buffer.from('acme:open').toString('base64')}` } })
  const [byKey, byPassword] = seen as [Identity, Identity]
  assert.deepEqual([byKey.kind, byPassword.kind], ['api-key', 'basic'])
  assert.deepEqual({ ...byKey, kind: '' }, { ...byPassword, kind: '' })
  assert.equal(byKey.id, 'consumer:acme')
  assert.throws(() => Object.assign(byKey, { plan: 'platinum' }), TypeError)
})

test('its limits and its plan count all of its credentials together', async (t) => {
  const key = makeKey(new Uint8Array(32).fill(2))
  const secret = 's'.repeat(48)
  const target = await startTarget(t)
  const started = async (limits: { route?: object; config?: object }) =>
    gatewayTo(t, target.origin, {
      config: {
        auth: {
          basic: {},
          'api-key': { query: 'k' },
          signature: { covers: ['@method'] },
          jwt: { issuers: [{ issuer: 'https://id.example', audience: 'api', secret, consumer: 'org' }] },
        },
        consumers: {
          acme: {
            plan: 'gold',
            apiKeys: [hashOf(key)],
            password: await hashPassword('open', { ln: 10, r: 8, p: 1 }),
            signingKeys: [
              { id: 'k1', algorithm: 'hmac-sha256', secret: Buffer.from(secret).toString('base64') },
            ],
          },
        },
        rateLimits: { plans: { gold: { max: 100, per: '1h' } } },
        ...limits.config,
      },
      route: { auth: ['api-key', 'basic', 'signature', 'jwt'], ...limits.route },
    })
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const mac = (text: string) => createHmac('sha256', secret).update(text)
  const now = Math.floor(Date.now() / 1000)
  const signed = (nonce: string) => {
    const input = `("@method");created=${now};keyid="k1";nonce="${nonce}"`
    const signature = mac(`"@method": GET\n"@signature-params": ${input}`).digest('base64')
    return { 'signature-input': `s=${input}`, signature: `s=:${signature}:` }
  }
  const token = (sub: string) => {
    const claims = { iss: 'https://id.example', aud: 'api', sub, org: 'acme', exp: now + 600 }
    const text = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`
    return { authorization: `Bearer ${text}.${mac(text).digest('base64url')}` }
  }
  const all: { url?: string; headers?: Record<string, string> }[] = [
    { headers: { 'x-api-key': key } },
    { url: `/?k=${key}` },
    { headers: { authorization: `Basic ${Buffer.from('acme:open').toString('base64')}` } },
    { headers: signed('1') },
    { headers: token('ann') },
    { headers: token('bob') },
  ]
  for (const limits of [
    { config: { rateLimits: { plans: { gold: { max: 6, per: '1h' } } } } },
    { route: { rateLimit: { max: 6, per: '1h', by: 'consumer' } } },
  ]) {
    const { port } = await started(limits)
    for (const request of all) assert.equal((await ask(port, request)).status, 200, JSON.stringify(request))
    const again = all.with(3, { headers: signed('2') })
    for (const request of again) assert.equal((await ask(port, request)).status, 429, JSON.stringify(request))
  }
})

test('keys that have expired are told of in the log, and do not keep the gateway from starting', async (t) => {
  const target = await startTarget(t)
  const lines: string[] = []
  await gatewayTo(t, target.origin, {
    config: {
      auth: { 'api-key': {} },
      consumers: { acme: { apiKeys: [hashOf('a'), { hash: hashOf('b'), expires: '2020-01-01' }] } },
    },
    log: (line) => lines.push(line),
  })
  const told = lines.filter((line) => line.includes('has expired'))
  assert.equal(told.length, 1)
  assert.match(told[0] as string, /consumers\.acme\.apiKeys\[1\] has expired/)
})

test('a consumer needs no credential of its own, for one that tokens name', async () => {
  assert.equal(await problemsOf({ consumers: { acme: { plan: 'gold' } } }), '')
  await expectProblems({ consumers: { acme: { claims: ['a'], scope: [] }, 'a b': {} } }, [
    'consumers.acme.claims: must be an object; write',
    'consumers.acme.scope: unknown key; did you mean "scopes"',
    'consumers["a b"]: is not a good name',
  ])
})

test('consumers are found by their names and by nothing that every object has', () => {
  const find = consumerReader({ acme: { plan: 'gold' } } as unknown as Consumers)
  assert.equal(find('acme')?.plan, 'gold')
  for (const name of ['toString', '__proto__', 'constructor', '']) assert.equal(find(name), undefined)
})

test('dates are days or moments, and real ones', () => {
  assert.equal(dateMs('2027-01-31'), Date.UTC(2027, 0, 31))
  assert.equal(dateMs('2027-01-31T18:00:00+01:00'), Date.UTC(2027, 0, 31, 17))
  assert.equal(dateMs('2028-02-29T00:00Z'), Date.UTC(2028, 1, 29))
  for (const text of [
    '2027-02-29',
    '2027-13-01',
    '2027-01-31T18:00',
    '31.1.2027',
    'tomorrow',
    '',
    '2027-01-31T25:00Z',
  ])
    assert.ok(Number.isNaN(dateMs(text)), text)
  const consumers = {
    acme: { apiKeys: [{ hash: '', expires: '2027-01-01' }, { hash: '' }] },
  } as unknown as Consumers
  assert.deepEqual(expiredKeys(consumers, 'apiKeys', Date.UTC(2027, 0, 1) - 1), [])
  assert.deepEqual(expiredKeys(consumers, 'apiKeys', Date.UTC(2027, 0, 1)), ['consumers.acme.apiKeys[0]'])
})

test('what is kept for a time ends with it, and the oldest goes when there is no room', () => {
  const map = new ExpiringMap<number>(2)
  map.set('a', 1, 10)
  map.set('b', 2, 20)
  assert.equal(map.get('a', 9), 1)
  assert.equal(map.get('a', 10), undefined)
  map.set('c', 3, 20)
  map.set('b', 4, 20)
  map.set('d', 5, 20)
  assert.deepEqual(
    ['b', 'c', 'd'].map((key) => map.get(key, 0)),
    [4, undefined, 5],
  )
  assert.equal(map.size, 2)
})

test("the page's kind of a user's own works as it stands there", async (t) => {
  const target = await startTarget(t)
  const snippets = await snippetsOf('docs/authentication.md')
  const at = snippets.findIndex(({ path }) => path === 'plugins/ticket.ts')
  const folder = await ownHouse(t, { 'plugins/ticket.ts': snippets[at]?.code as string })
  const page = snippets[at + 1]?.code.replace('http://10.0.0.1:8080', target.origin) as string
  const start = (auth: string) =>
    startProcess(t, { folder, config: page.replace("process.env['TICKET_SECRET'] ?? ''", auth) })
  const told = (await start("'', logest: 5")).output()
  assert.match(told, /auth\.ticket\.secret: is not there.*set the environment variable/)
  assert.match(told, /auth\.ticket\.logest: unknown key; did you mean "longest"/)
  const gateway = await start("'for tests'")
  const ticket = (secret: string) => `Ticket ann.${createHmac('sha256', secret).update('ann').digest('hex')}`
  const asked = async (headers: Record<string, string>) => {
    const response = await fetch(gateway.url, { headers }).catch(() => assert.fail(gateway.output()))
    return [response.status, response.headers.get('www-authenticate')]
  }
  assert.deepEqual(await asked({ authorization: ticket('for tests') }), [200, null])
  assert.deepEqual(await asked({ authorization: ticket('another') }), [401, 'Ticket realm="gateway"'])
  assert.deepEqual(await asked({}), [401, 'Ticket realm="gateway"'])
  assert.equal(target.seen.length, 1)
})

test('whatever is sent as a credential is refused as one: no 500, and nobody comes in', async (t) => {
  const target = await startTarget(t)
  const { app } = await gatewayTo(t, target.origin, {
    config: {
      auth: {
        'api-key': { query: 'k' },
        basic: { cacheFor: '1h' },
        mtls: { fromProxies: true },
        signature: {},
        introspection: { endpoint: 'http://127.0.0.1:1/', clientId: 'a', clientSecret: 'b', failures: 1 },
      },
      consumers: {
        acme: {
          apiKeys: [hashOf('a key of acme')],
          password: await hashPassword('open', { ln: 10, r: 8, p: 1 }),
          certificates: [{ dns: 'a' }],
          signingKeys: [{ id: 'k', algorithm: 'hmac-sha256', secret: 's'.repeat(44) }],
        },
      },
    },
    server: { trustProxy: ['127.0.0.1'] },
    route: { auth: ['mtls', 'api-key', 'signature', 'basic', 'introspection'] },
  })
  const junk = fc.string({
    unit: fc.oneof(
      fc.constantFrom(...'"\\:;=,()?@% \t.~*'.split('')),
      fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)),
    ),
    maxLength: 60,
  })
  const base64 = junk.map((text) => Buffer.from(text).toString('base64'))
  const created = Math.floor(Date.now() / 1000)
  const headers = fc.record(
    {
      authorization: fc.oneof(
        junk,
        ...['Basic', 'Bearer', 'basic '].map((scheme) =>
          fc.oneof(junk, base64).map((text) => `${scheme} ${text}`),
        ),
      ),
      'x-api-key': fc.oneof(
        junk,
        junk.map((text) => `hf_${text}`),
      ),
      'client-cert': fc.oneof(
        junk,
        base64.map((text) => `:${text}:`),
      ),
      'signature-input': fc.oneof(
        junk,
        junk.map((text) => `a=("@method" ${text});created=${created};keyid="k";nonce="${created}"`),
      ),
      signature: fc.oneof(
        junk,
        base64.map((text) => `a=:${text}:`),
      ),
      'content-digest': junk,
    },
    { requiredKeys: [] },
  )
  const statuses = new Set<number>()
  await fc.assert(
    fc.asyncProperty(headers, junk, async (sent, query) => {
      const url = `/?k${encodeURIComponent(query)}`
      const { statusCode, body } = await app.inject({ url, headers: sent as Record<string, string> })
      statuses.add(statusCode)
      assert.ok([400, 401, 503].includes(statusCode), `${statusCode} ${body}`)
      if (statusCode === 503) assert.equal(JSON.parse(body).code, 'GTW_AUTH_UNAVAILABLE')
    }),
    { numRuns: 600, seed: 1 },
  )
  assert.deepEqual([...statuses].toSorted(), [400, 401, 503])
  assert.equal(target.seen.length, 0)
})
