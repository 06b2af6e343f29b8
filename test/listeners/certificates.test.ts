import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { ByName, namesOf } from '../../plugins/config/certificates-by-name.ts'
import { type Certificate, createAuthority } from '../support/certificates.ts'
import { buildGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { startTarget } from '../support/target.ts'
import { ask, askHttps, gatewayTo, session } from './support.ts'

const authority = createAuthority()
const first = authority.issue('main.test', { names: ['DNS:special.wild.test'] })
const second = authority.issue('Second.TEST')
const wild = authority.issue('*.wild.test')
const pair = ({ cert, key }: Certificate) => ({ cert, key })
const tls = { ...pair(first), more: [pair(wild), { cert: second.certFile, key: second.keyFile }] }

/** The common name of what a client is shown that asks for `servername`, '' being for none. */
async function shown(port: number, servername: string, more: ConnectionOptions = {}): Promise<string> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    servername,
    ca: authority.cert,
    checkServerIdentity: () => undefined,
    ...more,
  })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

describe('the names of a certificate', () => {
  it('are its DNS names, in lower case, and nothing that only looks like one', () => {
    assert.deepEqual(namesOf('DNS:A.test, IP Address:10.0.0.1, DNS:*.b.test, DNS:a.TEST'), [
      'a.test',
      '*.b.test',
    ])
    assert.deepEqual(namesOf('DNS:"x, DNS:evil.test, \\"y", URI:spiffe://a/b'), [])
    assert.deepEqual(namesOf(undefined), [])
  })

  it('are found written out before by wildcard, which stands for one whole label', () => {
    const names = new ByName([
      [['*.a.test', 'f*.b.test'], 'wildcard'],
      [['x.a.test'], 'exact'],
    ])
    const found = ['x.a.test', 'X.A.Test.', 'y.a.test', 'z.y.a.test', 'a.test', '.a.test', 'foo.b.test', '']
    assert.deepEqual(
      found.map((name) => names.find(name)),
      ['exact', 'exact', 'wildcard', undefined, undefined, undefined, undefined, undefined],
    )
  })
})

for (const http2 of [false, true]) {
  test(`several certificates on one port${http2 ? ' with HTTP/2' : ''}: each client is shown the one for its name`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, { server: { tls, http2 } })
    assert.equal(await shown(port, 'main.test'), 'main.test')
    assert.equal(await shown(port, 'second.test'), 'Second.TEST')
    assert.equal(await shown(port, 'SECOND.test', { maxVersion: 'TLSv1.2' }), 'Second.TEST')
    assert.equal(await shown(port, 'any.wild.test'), '*.wild.test')
    // Written out in the first one, although another has a wildcard for it.
    assert.equal(await shown(port, 'special.wild.test'), 'main.test')
    for (const unknown of ['', 'unknown.test', 'a.b.wild.test', 'wild.test'])
      assert.equal(await shown(port, unknown), 'main.test', unknown)

    const trusting = { ca: authority.cert, servername: 'second.test' }
    assert.equal((await askHttps(port, trusting)).body, 'ok')
    if (!http2) return
    const client = session(t, `https://127.0.0.1:${port}`, trusting)
    assert.equal((await ask(client, { ':path': '/' })).status, 200)
  })
}

test('clients prove themselves under each of the names', async (t) => {
  const target = await startTarget(t)
  const port = await freePort()
  await gatewayTo(t, target.origin, {
    listeners: [{ host: '127.0.0.1', port, http2: true, tls: { ...tls, clientCa: authority.cert } }],
  })
  const client = pair(authority.issue('client'))
  const stranger = pair(createAuthority('Other CA').issue('client'))
  for (const servername of ['main.test', 'second.test', 'a.wild.test']) {
    const trusting = { ca: authority.cert, servername }
    assert.equal((await askHttps(port, { ...trusting, ...client })).status, 200)
    await assert.rejects(askHttps(port, trusting), servername)
    await assert.rejects(askHttps(port, { ...trusting, ...stranger }), servername)
  }
  assert.equal(target.seen.length, 3)
})

test('a TLS session of one name was taken up again under another, which had proved nothing', async (t) => {
  const target = await startTarget(t)
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  // Node's own client takes care of it; this one does what it is told.
  const client = async (port: number, name: string, version: string, ...more: string[]): Promise<string> => {
    const options = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, version, ...more]
    const child = execFile('openssl', options)
    let said = ''
    child.stdout?.on('data', (text) => {
      said += text
    })
    // Until it has answered, a session of TLS 1.3 may still be on its way.
    child.stdin?.write(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`)
    await once(child, 'close')
    return /^(New|Reused), TLS/m.exec(said)?.[1] ?? said
  }
  const several = await gatewayTo(t, target.origin, { server: { tls } })
  const alone = await gatewayTo(t, target.origin, { server: { tls: pair(first) } })
  for (const version of ['-tls1_2', '-tls1_3']) {
    const kept = join(folder, version)
    for (const { port } of [alone, several])
      assert.equal(await client(port, 'main.test', version, '-sess_out', `${kept}-${port}`), 'New')
    const again = (port: number, name: string) => client(port, name, version, '-sess_in', `${kept}-${port}`)
    assert.equal(await again(alone.port, 'main.test'), 'Reused', version)
    assert.equal(await again(several.port, 'second.test'), 'New', version)
  }
})

test('what is wrong with further certificates is told when the config is read, all at once', async () => {
  const twin = authority.issue('other.test', { names: ['DNS:MAIN.test', 'DNS:*.wild.test'] })
  const nameless = createAuthority('No Host')
  const error = await buildGateway({
    upstreams: {},
    routes: [],
    server: {
      tls: {
        ...tls,
        more: [
          pair(wild),
          { cert: second.cert, key: wild.key },
          { cert: '/no/such.pem', key: second.key },
          pair(twin),
          pair(nameless),
        ],
      },
    },
  }).then(
    () => assert.fail('it was let through'),
    (error: Error & { problems: { path: string; message: string }[] }) => error,
  )
  assert.deepEqual(
    error.problems.map(({ path, message }) => `${path}: ${message}`),
    [
      "server.tls.more[1].key: is not the key of the certificate in `cert`; the first certificate there must be the server's own",
      'server.tls.more[2].cert: no file "/no/such.pem"; give PEM text or the path of a PEM file',
      'server.tls.more[3].cert: is for main.test, and so is server.tls.cert; take one of them out',
      'server.tls.more[3].cert: is for *.wild.test, and so is server.tls.more[0].cert; take one of them out',
      'server.tls.more[4].cert: has no DNS name (subjectAltName), so that nobody would be shown it; issue one with names',
    ],
  )
})

test('a further certificate that ends soon is spoken of in the log', async (t) => {
  const target = await startTarget(t)
  const soon = authority.issue('soon.test', { days: 5 })
  const lines: string[] = []
  await gatewayTo(
    t,
    target.origin,
    { server: { tls: { ...pair(first), more: [pair(soon)] } } },
    { log: (line) => lines.push(line) },
  )
  assert.match(lines.join(''), /the certificate of server\.tls\.more\[0\] expires in [45] days; renew it/)
})
