/** Client certificates: whose they are, on every kind of connection, and which ones never count. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, describe, it, type TestContext } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import fc from 'fast-check'
import { makeKey } from '../../plugins/auth/api-key/key.ts'
import { Refusal } from '../../plugins/auth/authenticator.ts'
import type { Consumers } from '../../plugins/auth/consumers.ts'
import { Certificates } from '../../plugins/auth/mtls/certificates.ts'
import { createMtls } from '../../plugins/auth/mtls/create.ts'
import { parseCertificateName, parseDn } from '../../plugins/auth/mtls/dn.ts'
import { parseAlternativeNames } from '../../plugins/auth/mtls/san.ts'
import { ask as askHttp2, session } from '../listeners/support.ts'
import { createAuthority } from '../support/certificates.ts'
import { freePort } from '../support/ports.ts'
import { startTarget, type TestTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask } from '../transport/support.ts'
import { expectProblems, gatewayTo, problemsOf } from './support.ts'

const authority = createAuthority()
const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
const billing = authority.issue('billing.example', {
  names: ['URI:spiffe://example/billing', 'email:b@example.com'],
})
const unknown = authority.issue('unknown.example')
const forged = createAuthority('Other CA').issue('billing.example', {
  names: ['URI:spiffe://example/billing'],
})
const trusting = { ca: authority.cert, servername: 'localhost' }

const PLAIN = { scopes: [], roles: [], claims: {}, apiKeys: [], signingKeys: [] }
const withCertificates = (...certificates: object[]) =>
  ({ ...PLAIN, certificates }) as unknown as Consumers[string]
const fingerprint = (pem: string) => new X509Certificate(pem).fingerprint256

describe('distinguished names', () => {
  for (const [a, b] of [
    ['CN=a,O=Acme,C=DE', 'cn=a, o=Acme , c=DE'],
    ['CN=a,O=Acme', 'O=Acme,CN=a'],
    ['CN=a+OU=x,O=Acme', 'OU=x+CN=a,O=Acme'],
    ['CN=Acme\\, Inc.', 'CN=Acme\\2c Inc.'],
    ['CN=L\\C3\\BC', 'CN=Lü'],
    ['UID=a', '0.9.2342.19200300.100.1.1=a'],
    ['emailAddress=a@b', 'EMAIL=a@b'],
    ['CN=a\\ ', 'CN=a\\20'],
    ['CN=😀', 'CN=\\F0\\9F\\98\\80'],
  ] as const) {
    it(`${a} is ${b}`, () => {
      assert.ok(parseDn(a) !== undefined)
      assert.equal(parseDn(a), parseDn(b))
    })
  }
  for (const [a, b] of [
    ['CN=a', 'CN=A'],
    ['CN=a', 'OU=a'],
    ['CN=a,O=b', 'CN=a'],
    ['CN=a\\,O=b', 'CN=a,O=b'],
    ['CN=a\\+OU=b', 'CN=a+OU=b'],
    ['DC=example,DC=com', 'DC=com,DC=example'],
    ['CN=a', 'CN=a\\ '],
  ] as const) {
    it(`${a} is not ${b}`, () => assert.notEqual(parseDn(a), parseDn(b)))
  }
  for (const text of [
    '',
    'a',
    '=a',
    'CN=',
    'CN=a,',
    ',CN=a',
    'CN=#04024869',
    'C N=a',
    'CN=\\zz',
    'CN=\\FF',
    'CN=a\\',
    'CN=\ud800',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDn(text), undefined))
  }
  it('a value is what it is, whatever is in it', () => {
    const escaped = (text: string) =>
      Array.from(Buffer.from(text), (byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ minLength: 1 }), (cn, o) => {
        const wanted = JSON.stringify([
          ['cn', cn],
          ['o', o],
        ])
        assert.equal(parseDn(`CN=${escaped(cn)},O=${escaped(o)}`), wanted)
        assert.equal(parseCertificateName(`O=${escaped(o)}\nCN=${escaped(cn)}`), wanted)
      }),
    )
  })
})

describe('names as OpenSSL and Node write them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const made = (subject: string, names: string): X509Certificate => {
    const file = join(folder, 'odd.crt')
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-utf8',
        '-days',
        '2',
      ].concat([
        '-keyout',
        join(folder, 'odd.key'),
        '-out',
        file,
        '-subj',
        subject,
        '-addext',
        `subjectAltName=${names}`,
      ]),
      { stdio: 'ignore' },
    )
    return new X509Certificate(readFileSync(file))
  }

  it('are the same as RFC 4514 writes them', () => {
    const { subject } = made(
      '/DC=com/DC=example/O=Acme, Inc. \\+ Söhne/OU=x+CN=a\\/b=c/emailAddress=a@b.c',
      'DNS:a',
    )
    assert.equal(
      parseCertificateName(subject),
      parseDn('emailAddress=a@b.c,CN=a/b=c+OU=x,O=Acme\\, Inc. \\+ Söhne,DC=example,DC=com'),
    )
  })

  it('alternative names that hold others in disguise are one name each', () => {
    const { subjectAltName } = made('/CN=a', 'DNS:One.Example,URI:spiffe://x/a,email:a@b.c,IP:10.0.0.1')
    assert.deepEqual(parseAlternativeNames(subjectAltName), {
      dns: new Set(['one.example']),
      uri: new Set(['spiffe://x/a']),
      email: new Set(['a@b.c']),
    })
    // CVE-2021-44532: a comma in a name that is printed bare would be the beginning of another name.
    const names = parseAlternativeNames(
      'URI:"http://a/?b=, DNS:evil.example", DNS:good.example, DNS:"x, DNS:y"',
    )
    assert.deepEqual(names.dns, new Set(['good.example', 'x, dns:y']))
    assert.deepEqual(names.uri, new Set(['http://a/?b=, DNS:evil.example']))
    assert.deepEqual(parseAlternativeNames(undefined).dns, new Set())
    assert.deepEqual(parseAlternativeNames('DNS:"broken, DNS:evil').dns, new Set())
  })
})

describe('whose a certificate is', () => {
  const facts = new X509Certificate(billing.cert) as X509Certificate & { subjectAltName: string | undefined }
  const verdict = (consumers: Consumers) => new Certificates(consumers).authenticate(facts)

  for (const rule of [
    { subject: 'CN=billing.example' },
    { dns: 'Billing.Example' },
    { uri: 'spiffe://example/billing' },
    { email: 'b@example.com' },
    { fingerprint: facts.fingerprint256 },
    { fingerprint: facts.fingerprint256.replaceAll(':', '').toLowerCase() },
    { subject: 'CN=billing.example', issuer: 'CN=Test CA', dns: 'billing.example' },
  ]) {
    it(`${Object.keys(rule).join(' and ')}`, () => {
      const found = verdict({ acme: withCertificates(rule) })
      assert.ok(!(found instanceof Refusal) && found.consumer === 'acme' && found.kind === 'mtls')
      const [[key, value]] = Object.entries(rule) as [[string, string]]
      const other = value.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
      assert.ok(verdict({ acme: withCertificates({ ...rule, [key]: other }) }) instanceof Refusal)
    })
  }

  it('nobody has it if two rules give it to two: neither is believed', () => {
    const found = verdict({
      acme: withCertificates({ dns: 'billing.example' }),
      bolt: withCertificates({ subject: 'CN=billing.example' }),
    })
    assert.ok(found instanceof Refusal)
    assert.equal(found.told, 'The client certificate is not known here')
    assert.match(found.why, /acme and bolt both claim/)
  })

  it('another issuer is another certificate', () => {
    const found = verdict({ acme: withCertificates({ dns: 'billing.example', issuer: 'CN=Other CA' }) })
    assert.ok(found instanceof Refusal)
  })
})

describe('a connection', () => {
  const certificate = new X509Certificate(billing.cert)
  const made = (date: () => number) => {
    const gateway = {
      consumers: { acme: withCertificates({ dns: 'billing.example' }) },
      server: { trustProxy: [] },
    }
    const context = {
      app: { gateway },
      date,
      now: () => 0,
      random: () => 0,
      realm: '',
      consumer: () => undefined,
    }
    return createMtls({ fromProxies: false }, context as never)
  }
  const request = (socket: object) =>
    ({ headers: {}, raw: { httpVersionMajor: 1, socket, rawHeaders: [] } }) as never

  it('that outlives its certificate is no longer its consumer', () => {
    let now = Date.parse(certificate.validTo) - 1
    const mtls = made(() => now)
    const socket = { authorized: true, getPeerX509Certificate: () => certificate }
    assert.ok(!(mtls.authenticate(request(socket)) instanceof Refusal))
    now++
    assert.ok(mtls.authenticate(request(socket)) instanceof Refusal)
    now = Date.parse(certificate.validFrom) - 1
    assert.ok(mtls.authenticate(request(socket)) instanceof Refusal)
  })

  it('is looked at once, however many requests it brings', () => {
    let looks = 0
    const socket = {
      authorized: true,
      getPeerX509Certificate() {
        looks++
        return certificate
      },
    }
    const mtls = made(Date.now)
    for (let i = 0; i < 5; i++) mtls.authenticate(request(socket))
    assert.equal(looks, 1)
  })

  it('without a certificate is nobody, though OpenSSL calls a session that was resumed so authorized', () => {
    const mtls = made(Date.now)
    assert.equal(
      mtls.authenticate(request({ authorized: true, getPeerX509Certificate: () => undefined })),
      undefined,
    )
    assert.equal(mtls.authenticate(request({})), undefined)
  })
})

interface Answer {
  readonly status: number
  readonly who: string | undefined
  readonly reused: boolean
}

const KEY = makeKey(randomBytes(32))
const keyHash = `sha256:${createHash('sha256').update(KEY).digest('hex')}`
const CONFIG = {
  auth: { mtls: {}, 'api-key': {} },
  consumers: {
    billing: { certificates: [{ uri: 'spiffe://example/billing' }] },
    phone: { apiKeys: [keyHash] },
  },
}
const tls = { cert: own.cert, key: own.key, clientCa: authority.cert }

async function started(t: TestContext, server: object, more: { config?: object; listeners?: object[] } = {}) {
  const target = await startTarget(t)
  return {
    target,
    ...(await gatewayTo(t, target.origin, {
      config: {
        ...CONFIG,
        ...more.config,
        ...(more.listeners === undefined ? {} : { listeners: more.listeners }),
      },
      server,
      route: { auth: ['mtls', 'api-key'] },
      use: async (app) => {
        app.addHook(
          'onSend',
          async (request, reply) => void reply.header('x-who', request.identity?.name ?? ''),
        )
      },
    })),
  }
}

async function askTls(port: number, options: https.RequestOptions): Promise<Answer> {
  const request = https.get({ host: '127.0.0.1', port, agent: false, ...trusting, ...options })
  const [response] = await once(request, 'response')
  await buffer(response)
  return {
    status: response.statusCode,
    who: response.headers['x-who'],
    reused: response.socket.isSessionReused(),
  }
}

/** A session that another connection may go on with. */
async function sessionOf(port: number, options: ConnectionOptions): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', port, ...trusting, ...options })
  // TLS 1.2 tells it within the handshake, TLS 1.3 afterwards.
  const got = once(socket, 'session')
  await once(socket, 'secureConnect')
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  const [first] = await got
  socket.destroy()
  return first
}

const certOf = ({ cert, key }: { cert: string; key: string }) => ({ cert, key })

describe('a gateway', () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`${maxVersion}: with a certificate, with a bad one, without one, and the same when sessions are resumed`, async (t) => {
      const { port, target } = await started(t, { tls: { ...tls, clientAuth: 'request' } })
      const apiKey = { 'x-api-key': KEY }
      for (const resumed of [false, true]) {
        const asked = async (
          certificate: object,
          headers: object = {},
        ): Promise<[number, string | undefined]> => {
          const from = resumed ? { session: await sessionOf(port, { ...certificate, maxVersion }) } : {}
          const { status, who, reused } = await askTls(port, {
            ...certificate,
            ...from,
            headers,
            maxVersion,
          } as object)
          assert.equal(reused, resumed, `resumed: ${resumed}`)
          return [status, who]
        }
        assert.deepEqual(await asked(certOf(billing)), [200, 'billing'])
        assert.deepEqual(await asked(certOf(unknown)), [401, ''])
        assert.deepEqual(await asked(certOf(forged)), [401, ''], 'of another authority')
        assert.deepEqual(await asked({}), [401, ''])
        assert.deepEqual(await asked({}, apiKey), [200, 'phone'])
        assert.deepEqual(await asked(certOf(forged), apiKey), [200, 'phone'])
        assert.deepEqual(await asked(certOf(billing), apiKey), [200, 'billing'])
      }
      assert.ok(target.seen.every(({ headers }) => headers['x-api-key'] === undefined))
    })
  }

  it('nobody changes who they are within a connection: there is no renegotiation', async (t) => {
    const { port } = await started(t, { tls: { ...tls, clientAuth: 'request' } })
    const socket = connect({ host: '127.0.0.1', port, ...trusting, maxVersion: 'TLSv1.2' })
    await once(socket, 'secureConnect')
    const outcome = await new Promise<Error | null>((resolve) => {
      socket.once('error', resolve)
      socket.renegotiate({}, resolve)
    })
    assert.match(
      (outcome as NodeJS.ErrnoException | null)?.code ?? 'renegotiated',
      /NO_RENEGOTIATION|ERR_SSL/,
    )
    socket.destroy()
  })

  it('with HTTP/2, and on further listeners', async (t) => {
    const port = await freePort()
    const listener = { host: '127.0.0.1', port, http2: true, tls: { ...tls, clientAuth: 'request' } }
    const { target } = await started(t, {}, { listeners: [listener] })
    const who = async (options: object): Promise<unknown[]> => {
      const client = session(t, `https://localhost:${port}`, { ca: authority.cert, ...options })
      const first = await askHttp2(client, { ':path': '/' })
      const second = await askHttp2(client, { ':path': '/' })
      return [first.status, first.headers['x-who'], second.headers['x-who']]
    }
    assert.deepEqual(await who(certOf(billing)), [200, 'billing', 'billing'])
    assert.deepEqual(await who(certOf(forged)), [401, '', ''])
    assert.deepEqual(await who({}), [401, '', ''])
    assert.equal(target.seen.length, 2)
  })

  for (const http2 of [false, true])
    it(`http2: ${http2}: believed a clientCa that was withdrawn on connections that were open, without end`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
      t.after(() => rmSync(folder, { recursive: true, force: true }))
      const file = join(folder, 'client-ca.pem')
      writeFileSync(file, authority.cert)
      const held: (() => void)[] = []
      // Before the target is closed, which waits for them.
      const tunnels: Duplex[] = []
      t.after(() => tunnels.forEach((one) => void one.destroy()))
      const target = await startTarget(t, ({ url }, response) => {
        if (url === '/streamed') response.write('first ')
        if (url === '/a') response.end('ok')
        else held.push(() => response.end('last'))
      })
      target.server.on('upgrade', (_request, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
        tunnels.push(socket.pipe(socket).on('error', () => {}))
      })
      const { port, app } = await gatewayTo(t, target.origin, {
        config: CONFIG,
        server: { http2, tls: { ...tls, clientCa: file, clientAuth: 'request' } },
        route: { auth: 'mtls' },
      })
      const open = async (first: string) => {
        const socket = connect({ host: '127.0.0.1', port, ...trusting, ...certOf(billing) })
        t.after(() => socket.destroy())
        socket.on('error', () => {})
        const one = { socket, text: '' }
        socket.on('data', (chunk) => {
          one.text += String(chunk)
        })
        await once(socket, 'secureConnect')
        socket.write(first)
        return one
      }
      const get = (url: string, end = '\r\n\r\n') => `GET ${url} HTTP/1.1\r\nhost: localhost${end}`
      const tunnel = await open(get('/', '\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'))
      await until('it is open', () => tunnel.text.includes(' 101 '))
      const idle = await open(get('/a'))
      await until('it is answered', () => idle.text.includes('ok'))
      const begun = await open(get('/a', '\r\n'))
      const waiting = await open(get('/held'))
      const streamed = await open(get('/streamed'))
      await until('its head has been sent', () => streamed.text.includes('first'))
      const shaking = createConnection(port, '127.0.0.1').on('error', () => {})
      await once(shaking, 'connect')
      const client = http2
        ? session(t, `https://localhost:${port}`, { ca: authority.cert, ...certOf(billing) })
        : undefined
      const stream = client && askHttp2(client, { ':path': '/held' })
      await until('all wait', () => held.length === (http2 ? 3 : 2))
      // Everybody has been looked at once; now nobody of this authority is to be believed.
      const others = createAuthority('Next CA')
      writeFileSync(file, others.cert)
      const renewed = app.certificates.listeners.map((listener) => listener.renew(Date.now()))
      assert.deepEqual(renewed, [{ changed: true, clientCa: true, problems: [] }])
      const seen = target.seen.length
      begun.socket.write('\r\n')
      // What was sent behind is not taken up.
      for (const { socket } of [idle, waiting, streamed]) socket.write(get('/a'))
      for (const run of held) run()
      for (const { socket } of [idle, begun, waiting, streamed])
        await until('it is closed', () => socket.destroyed || socket.readableEnded)
      await until('the handshake is given up', () => shaking.destroyed || shaking.readableEnded)
      assert.match(waiting.text, /^HTTP\/1\.1 200 [\s\S]*connection: close[\s\S]*last/i)
      assert.match(streamed.text, /^HTTP\/1\.1 200 [\s\S]*first [\s\S]*last/)
      assert.equal(waiting.text.match(/HTTP\/1\.1/g)?.length, 1)
      if (client !== undefined) {
        assert.equal(String((await stream)?.body), 'last', 'what was under way is finished')
        await until('the session is closed', () => client.closed || client.destroyed)
      }
      assert.equal(target.seen.length, seen)
      assert.equal((await askTls(port, certOf(billing) as object)).status, 401)
      // The same again is no reason to send anybody away.
      assert.equal(app.certificates.listeners[0]?.renew(Date.now()).clientCa, false)
      tunnel.socket.write('still there')
      await until('the tunnel goes on', () => tunnel.text.includes('still there'))
    })

  it('lets nobody in without a certificate unless it is told to', async (t) => {
    const { port } = await started(t, { tls })
    assert.equal((await askTls(port, certOf(billing) as object)).who, 'billing')
    await assert.rejects(askTls(port, { headers: { 'x-api-key': KEY } }))
  })

  it('believes proxies that it trusts, and takes the header off everybody else (RFC 9440)', async (t) => {
    const header = `:${new X509Certificate(billing.cert).raw.toString('base64')}:`
    const config = { auth: { mtls: { fromProxies: true }, 'api-key': {} } }
    const proxied = await started(t, { trustProxy: ['127.0.0.1'] }, { config })
    const asked = async (port: number, value: string) => {
      const answer = await ask(port, {
        headers: { 'Client-Cert': value, 'client-cert-chain': header },
      })
      return [answer.status, answer.headers['x-who']]
    }
    assert.deepEqual(await asked(proxied.port, header), [200, 'billing'])
    assert.deepEqual(await asked(proxied.port, header), [200, 'billing'])
    assert.equal(proxied.target.seen[0]?.headers['client-cert'], header)
    assert.deepEqual(
      await asked(proxied.port, `:${new X509Certificate(unknown.cert).raw.toString('base64')}:`),
      [401, ''],
    )
    for (const bad of [':AAAA:', header.slice(1), encodeURIComponent(billing.cert), ''])
      assert.deepEqual(await asked(proxied.port, bad), [400, ''], bad)
    assert.equal((await ask(proxied.port)).status, 401)

    const target = await startTarget(t)
    const open = await gatewayTo(t, target.origin, {
      config: { ...CONFIG, ...config },
      server: { trustProxy: ['10.9.8.7'] },
      routes: [{ path: '/open', upstream: 'main' }],
      route: { auth: 'mtls' },
    })
    assert.equal((await ask(open.port, { headers: { 'client-cert': header } })).status, 401)
    const forwarded = await ask(open.port, {
      url: '/open',
      headers: {
        'client-cert': header,
        'client-cert-chain': header,
        client_cert: header,
        'Client.Cert_Chain': header,
      },
    })
    assert.equal(forwarded.status, 200)
    const told = (one: TestTarget) => one.seen.at(-1)?.rawHeaders.filter((name) => /^client.cert/i.test(name))
    assert.deepEqual(told(target), [])
    // A proxy writes the names as they are: other spellings are what a client has sent through it.
    await ask(proxied.port, { headers: { 'client-cert': header, client_cert: 'x', client_cert_chain: 'x' } })
    assert.deepEqual(told(proxied.target), ['client-cert'])
  })

  it("does not take a trusted proxy's own certificate for its clients'", async (t) => {
    const config = { auth: { mtls: { fromProxies: true }, 'api-key': {} } }
    const { port } = await started(t, { trustProxy: ['127.0.0.1'], tls }, { config })
    assert.equal((await askTls(port, certOf(billing) as object)).status, 401)
    const header = `:${new X509Certificate(billing.cert).raw.toString('base64')}:`
    const told = await askTls(port, { ...certOf(unknown), headers: { 'client-cert': header } } as object)
    assert.deepEqual([told.status, told.who], [200, 'billing'])
  })

  it('does not start where nobody could show a certificate, nor with certificates of two', async () => {
    const { certificates } = CONFIG.consumers.billing
    const base = { ...CONFIG, routes: [{ path: '/*', upstream: 'main', auth: ['api-key', 'mtls'] }] }
    await expectProblems(base, ['routes[0].auth: accepts "mtls", but no listener asks for certificates'])
    await expectProblems({ ...base, server: { tls: { cert: own.cert, key: own.key } } }, [
      'routes[0].auth: accepts "mtls"',
    ])
    await expectProblems(
      { ...base, server: { tls: { cert: own.cert, key: own.key, clientAuth: 'request' } } },
      ['server.tls.clientAuth: asks for certificates of nobody'],
    )
    await expectProblems({ ...base, auth: { ...CONFIG.auth, mtls: { fromProxies: true } } }, [
      'auth.mtls.fromProxies: believes nobody',
    ])
    const fine = { ...base, listeners: [{ port: await freePort(), tls }] }
    assert.equal(await problemsOf(fine), '')
    await expectProblems(
      {
        ...fine,
        consumers: {
          ...CONFIG.consumers,
          bolt: {
            certificates: [
              ...certificates,
              { issuer: 'CN=Test CA' },
              { subject: 'CN=a,O=b' },
              { fingerprint: 'abc' },
              { subject: 'billing' },
            ],
          },
          cog: { certificates: [{ subject: 'o=b, cn=a' }, { fingerprint: fingerprint(billing.cert) }] },
        },
      },
      [
        'consumers.bolt.certificates[0]: is the certificate of consumers.billing.certificates[0] too',
        'consumers.bolt.certificates[1]: would fit everybody',
        'consumers.bolt.certificates[3].fingerprint: "abc" is not of the right form',
        'consumers.bolt.certificates[4].subject: "billing" is no distinguished name',
        'consumers.cog.certificates[0]: is the certificate of consumers.bolt.certificates[2] too',
      ],
    )
  })
})
