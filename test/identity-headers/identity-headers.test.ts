/** Upstreams are told who calls by the gateway and by nobody else, whatever a client tries. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { decodeJwt, jwtVerify } from 'jose'
import { encodeText, encodeValue } from '../../plugins/identity-headers/encode.ts'
import { TokenMaker } from '../../plugins/identity-headers/token.ts'
import { readGateway } from '../support/config.ts'
import { rawRequest, startGateway } from '../support/gateway.ts'
import { as, believeTests, identityOf, TEST_AUTH } from '../support/identity.ts'
import { startTarget } from '../support/target.ts'
import { ask, gatewayTo, rawClient } from '../transport/support.ts'

const auth = { accept: 'jwt', optional: true }
const HEADERS = {
  'x-consumer': 'name',
  'x-scopes': 'scopes',
  'x-org': 'claims.org.id',
  'x-plan': 'plan',
}

async function setup(t: TestContext, identityHeaders: object, routes: readonly object[] = [], server = {}) {
  const target = await startTarget(t)
  const upgrades: IncomingMessage[] = []
  target.server.on('upgrade', (request: IncomingMessage, socket) => {
    upgrades.push(request)
    socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  })
  const gateway = await startGateway(
    {
      server,
      auth: TEST_AUTH,
      identityHeaders,
      upstreams: { main: { targets: [{ origin: target.origin }], failover: { hedge: false } } },
      routes: [
        ...routes,
        { path: '/known', upstream: 'main', auth },
        { path: '/untold', upstream: 'main', auth, identityHeaders: false },
        { path: '/*', upstream: 'main' },
      ],
    } as object,
    { use: believeTests },
  )
  t.after(() => {
    gateway.app.server.closeAllConnections()
    void gateway.app.close()
  })
  const told = (index = -1): Record<string, unknown> => {
    const headers = target.seen.at(index)?.headers ?? {}
    return Object.fromEntries(
      Object.entries(headers).filter(([name]) => /consumer|scopes|org|plan|token/.test(name)),
    )
  }
  return { target, upgrades, port: gateway.port, told }
}

const ANN = { name: 'ann', scopes: ['a', 'b c'], claims: { org: { id: 'Zürich, AG' } } }
const FORGED = {
  'X-Consumer': 'root',
  x_consumer: 'root',
  'x.scopes': 'admin',
  X_ORG: 'evil',
  'x-plan': 'gold',
}

describe('an upstream is told who calls', () => {
  it('in place of what the client says, on every route', async (t) => {
    const { port, told } = await setup(t, { headers: HEADERS })
    await ask(port, { url: '/known', headers: { ...FORGED, ...as(ANN) } })
    assert.deepEqual(told(), { 'x-consumer': 'ann', 'x-scopes': 'a,b%20c', 'x-org': 'Z%C3%BCrich%2C%20AG' })
    for (const url of ['/known', '/untold', '/open']) {
      await ask(port, { url, headers: FORGED })
      assert.deepEqual(told(), {}, url)
    }
    await ask(port, { url: '/untold', headers: { ...FORGED, ...as(ANN) } })
    assert.deepEqual(told(), {})
  })

  it('though the client lists it in its Connection header (GHSA-gwhp-pf74-vj37)', async (t) => {
    const { port, told } = await setup(t, { headers: HEADERS })
    const identity = `x-test-identity: ${JSON.stringify({ name: 'ann' })}\r\n`
    for (const listed of [
      'x-consumer',
      'close, X-Consumer',
      'X-Consumer,x_consumer , close',
      'keep-alive, x-consumer',
    ]) {
      const text = `GET /known HTTP/1.1\r\nhost: a\r\n${identity}x-consumer: root\r\nx-other: 1\r\nconnection: ${listed}\r\nconnection: close\r\n\r\n`
      assert.match(await rawRequest(port, text), /^HTTP\/1\.1 200/)
      assert.deepEqual(told(), { 'x-consumer': 'ann' }, listed)
    }
  })

  it('and not by names given twice, nor behind the body', async (t) => {
    const { port, target, told } = await setup(t, { headers: HEADERS })
    const head = 'POST /known HTTP/1.1\r\nhost: a\r\nx-consumer: a\r\nX-CONSUMER: b\r\nconnection: close\r\n'
    const chunked = 'transfer-encoding: chunked\r\ntrailer: x-consumer, x-checksum\r\n\r\n'
    let trailers: NodeJS.Dict<string> = {}
    target.server.prependListener('request', (request) =>
      request.on('end', () => {
        trailers = request.trailers
      }),
    )
    const text = `${head}${chunked}5\r\nhello\r\n0\r\nx-consumer: root\r\nx_consumer: root\r\nx-checksum: 1\r\n\r\n`
    assert.match(await rawRequest(port, text), /^HTTP\/1\.1 200/)
    assert.deepEqual(told(), {})
    assert.equal(target.seen.at(-1)?.body, 'hello')
    assert.deepEqual({ ...trailers }, { 'x-checksum': '1' })
    // fault: they are announced all the same
    assert.equal(target.seen.at(-1)?.headers['trailer'], 'x-checksum')
    const alone = text.replace('trailer: x-consumer, x-checksum', 'trailer: X_Consumer,x-consumer')
    assert.match(await rawRequest(port, alone), /^HTTP\/1\.1 200/)
    assert.equal(target.seen.at(-1)?.headers['trailer'], undefined)
  })

  it('with a WebSocket too', async (t) => {
    const { port, upgrades } = await setup(t, { headers: HEADERS })
    for (const [path, name] of [
      ['/known', 'ann'],
      ['/open', undefined],
    ]) {
      const client = rawClient(t, port)
      const identity = path === '/known' ? `x-test-identity: {"name":"ann"}\r\n` : ''
      client.socket.write(
        `GET ${path} HTTP/1.1\r\nhost: a\r\n${identity}connection: upgrade, x-consumer\r\nupgrade: websocket\r\n` +
          'x-consumer: root\r\nx_consumer: root\r\n\r\n',
      )
      await client.until('101 Switching')
      const { headers } = upgrades.at(-1) as IncomingMessage
      assert.equal(headers['x-consumer'], name)
      assert.equal(headers['x_consumer'], undefined)
    }
  })

  it('over HTTP/2 too', async (t) => {
    const { port, told } = await setup(t, { headers: HEADERS }, [], { http2: true })
    const session = http2.connect(`http://127.0.0.1:${port}`)
    t.after(() => session.destroy())
    for (const [path, headers, expected] of [
      ['/known', as({ name: 'ann' }), { 'x-consumer': 'ann' }],
      ['/open', {}, {}],
    ] as const) {
      const stream = session.request({
        ':path': path,
        ...headers,
        'x-consumer': 'root',
        x_consumer: 'root',
        'x-org': 'evil',
      })
      const [response] = await once(stream.resume(), 'response')
      assert.equal(response[':status'], 200)
      await once(stream, 'close')
      assert.deepEqual(told(), expected)
    }
  })

  it('nothing, and nothing is taken out, where the config does not say so', async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin)
    await ask(port, { headers: { 'x-identity-name': 'x' } })
    assert.equal(target.seen[0]?.headers['x-identity-name'], 'x')
  })

  it('by the default names', async (t) => {
    const { port, target } = await setup(t, {})
    const claims = { iss: 'https://id.example.com/' }
    await ask(port, { url: '/known', headers: as({ ...ANN, claims, roles: ['r'], consumer: 'c' }) })
    const { headers } = target.seen[0] as (typeof target.seen)[number]
    const told = Object.entries(headers).filter(([name]) => name.startsWith('x-identity-'))
    assert.deepEqual(Object.fromEntries(told), {
      'x-identity-name': 'ann',
      'x-identity-kind': 'jwt',
      'x-identity-issuer': 'https://id.example.com/',
      'x-identity-consumer': 'c',
      'x-identity-scopes': 'a,b%20c',
      'x-identity-roles': 'r',
    })
  })
})

describe('values', () => {
  it('are visible ASCII without commas, whatever they were, and can be decoded', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom(...'%,\r\n\0 ~é€💣"'),
        fc.nat(0xffff).map((code) => String.fromCharCode(code)),
      ),
    })
    fc.assert(
      fc.property(text, (value) => {
        const encoded = encodeText(value)
        assert.match(encoded, /^[!-+\--~]*$/)
        assert.equal(decodeURIComponent(encoded), value.toWellFormed())
      }),
      { numRuns: 2000 },
    )
  })

  it('are lists and objects too', () => {
    assert.equal(encodeValue(['a,b', 'c d', 1, true, null]), 'a%2Cb,c%20d,1,true')
    assert.equal(encodeValue({ a: [1, 2] }), '{"a":[1%2C2]}')
    assert.equal(encodeValue(['a', ['b', 'c']]), 'a,["b"%2C"c"]')
    for (const nothing of [undefined, null, '', []]) assert.equal(encodeValue(nothing), undefined)
  })
})

describe('a signed token', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ed = generateKeyPairSync('ed25519')
  const pem = (key: { export(options: object): unknown }): string =>
    String(key.export({ type: 'pkcs8', format: 'pem' }))
  const secret = 's'.repeat(32)
  const KINDS: [string, object, unknown][] = [
    ['HS256', { secret }, Buffer.from(secret)],
    ['RS256', { privateKey: pem(rsa.privateKey) }, rsa.publicKey],
    ['PS256', { privateKey: pem(rsa.privateKey), algorithm: 'PS256' }, rsa.publicKey],
    ['ES256', { privateKey: pem(ec.privateKey), algorithm: 'ES256', keyId: 'k1' }, ec.publicKey],
    ['EdDSA', { privateKey: pem(ed.privateKey), algorithm: 'EdDSA' }, ed.publicKey],
  ]
  for (const [alg, key, verifier] of KINDS) {
    it(`by ${alg} tells who calls, and is verified by another library`, async (t) => {
      const { port, target } = await setup(t, {
        headers: {},
        jwt: { ...key, issuer: 'gateway', claims: ['org.id', 'https://example.com/team'] },
      })
      const more = { iss: 'https://id.example.com/', 'https://example.com/team': 'x' }
      const who = { ...ANN, roles: ['r'], claims: { ...ANN.claims, ...more } }
      await ask(port, {
        url: '/known',
        headers: { ...as(who), 'X-Identity-Token': 'forged', x_identity_token: 'forged' },
      })
      const { headers } = target.seen[0] as (typeof target.seen)[number]
      assert.equal(headers['x_identity_token'], undefined)
      const { payload, protectedHeader } = await jwtVerify(
        String(headers['x-identity-token']),
        verifier as never,
        {
          issuer: 'gateway',
          audience: 'main',
          algorithms: [alg],
        },
      )
      const { iat, exp, ...said } = payload
      assert.equal((exp as number) - (iat as number), 30)
      assert.deepEqual(said, {
        sub: 'ann',
        kind: 'jwt',
        scope: 'a b c',
        roles: ['r'],
        id: 'Zürich, AG',
        'https://example.com/team': 'x',
        issuer: 'https://id.example.com/',
        iss: 'gateway',
        aud: 'main',
      })
      assert.equal(protectedHeader.kid, alg === 'ES256' ? 'k1' : undefined)
      await ask(port, { url: '/known', headers: { 'x-identity-token': 'forged' } })
      assert.equal(target.seen[1]?.headers['x-identity-token'], undefined)
    })
  }

  it('is made once for half of its lifetime, and for each caller anew', () => {
    let now = 1_000_000
    let signed = 0
    const maker = new TokenMaker({
      issuer: 'g',
      lifetimeMs: 30_000,
      claims: [],
      header: {},
      sign: () => String(++signed),
      now: () => now,
    })
    const ann = identityOf()
    const first = maker.tokenFor(ann, '"a"')
    assert.equal(maker.tokenFor(ann, '"a"'), first)
    // The same caller from another credential object; and one who may more.
    assert.equal(maker.tokenFor(identityOf(), '"a"'), first)
    assert.equal(signed, 1)
    maker.tokenFor(identityOf({ scopes: ['x'] }), '"a"')
    maker.tokenFor(ann, '"b"')
    assert.equal(signed, 3)
    now += 14_999
    assert.equal(maker.tokenFor(ann, '"a"'), first)
    now += 1
    const second = maker.tokenFor(ann, '"a"')
    assert.notEqual(second, first)
    assert.equal(decodeJwt(second).exp, 1045)
    // The clock was set back: one that was made in the future is good for nobody, and would be used for too long.
    now -= 500_000
    assert.notEqual(maker.tokenFor(ann, '"a"'), second)
  })
})

it('two issuers’ callers of one name were one caller to the upstream', async (t) => {
  const { target, port } = await setup(t, { jwt: { secret: 's'.repeat(32), issuer: 'gateway' } })
  const told = []
  for (const iss of ['https://id.example.com', 'https://partner.example.net']) {
    await ask(port, { url: '/known', headers: as({ name: 'alice', claims: { iss } }) })
    const { headers } = target.seen.at(-1) as (typeof target.seen)[number]
    const { issuer, sub, iss: ours } = decodeJwt(String(headers['x-identity-token']))
    told.push([headers['x-identity-name'], headers['x-identity-issuer'], sub, issuer, ours])
  }
  assert.deepEqual(told, [
    ['alice', 'https://id.example.com', 'alice', 'https://id.example.com', 'gateway'],
    ['alice', 'https://partner.example.net', 'alice', 'https://partner.example.net', 'gateway'],
  ])
})

describe('refused at the start', () => {
  const jwt = { secret: 's'.repeat(32), issuer: 'g' }
  const WRONG: [object, RegExp][] = [
    [{ headers: { 'x-a': 'nam' } }, /"nam" is nothing that is known of a caller/],
    [{ headers: { x_a: 'name' } }, /headers\.x_a: is no good name/],
    [{ headers: { host: 'name' } }, /headers\.host: means something else already/],
    [{ headers: { authorization: 'name' } }, /means something else/],
    [{ headers: { cookie: 'name' } }, /headers\.cookie: means something else/],
    [{ headers: { 'signature-input': 'name' } }, /means something else/],
    [{ headers: { 'x-key': 'name' } }, /headers\["x-key"\]: is the header that credentials are brought in/],
    [{ jwt: { ...jwt, header: 'x-access-token' } }, /jwt\.header: is the header that credentials/],
    [{ headers: { 'x-org': 'name' } }, /routes\[0\]\.headers\["X-Org"\]: is said by the gateway itself/],
    [{ jwt: { ...jwt, header: 'x-identity-name' } }, /jwt\.header: is told twice/],
    [{ jwt: { issuer: 'g' } }, /needs one of `secret` and `privateKey`/],
    [{ jwt: { ...jwt, secret: 'short' } }, /shorter than 32 bytes/],
    [{ jwt: { ...jwt, algorithm: 'RS256' } }, /does not go with `secret`/],
    [{ jwt: { issuer: 'g', privateKey: '/no/such/file' } }, /is no private key/],
    ...[
      'iss',
      'sub',
      'aud',
      'exp',
      'nbf',
      'iat',
      'jti',
      'kind',
      'issuer',
      'consumer',
      'plan',
      'scope',
      'roles',
    ].map((name): [object, RegExp] => [
      { jwt: { ...jwt, claims: ['org.id', `org.${name}`] } },
      new RegExp(`jwt\\.claims\\[1\\]: would be told as "${name}", which the token says already`),
    ]),
    [
      { jwt: { ...jwt, claims: ['org.id', 'team.id'] } },
      /claims\[1\]: would be told as "id", like "org\.id"/,
    ],
    [
      { headers: { 'x-user': 'name' } },
      /headers: tells names of 2 issuers, each of which may have one of that name/,
    ],
  ]
  for (const [identityHeaders, message] of WRONG) {
    it(String(message), async () => {
      const config = {
        identityHeaders,
        auth: {
          'api-key': { header: 'X-Key' },
          jwt: {
            issuers: ['https://id.example', 'https://partner.example'].map((issuer) => ({
              issuer,
              audience: 'api',
              secret: 's'.repeat(32),
            })),
            from: { header: 'x-access-token' },
          },
        },
        upstreams: { users: { targets: [{ origin: 'http://127.0.0.1:9' }] } },
        routes: [{ path: '/', upstream: 'users', headers: { 'X-Org': 'a' } }],
      }
      const { problems } = await readGateway(config, 'test.config.ts')
      assert.match(problems.map((one) => `${one.path}: ${one.message}`).join('\n'), message)
    })
  }
})
