/** Signed requests through a gateway: what is forwarded is what was signed, or nothing is. */
import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http2 from 'node:http2'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { startTarget } from '../support/target.ts'
import { ask, inflight } from '../transport/support.ts'
import { expectProblems, gatewayTo } from './support.ts'

const SECRET = randomBytes(48)

function sha256(body: string | Buffer): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
}

interface Signing {
  readonly method?: string
  readonly authority: string
  readonly target?: string
  readonly digest?: string
  readonly nonce?: string
  readonly scheme?: string
}

/** The headers of a request that is signed by hand, and not with the code under test. */
function headersFor({
  method = 'GET',
  authority,
  target = '/',
  digest,
  nonce,
  scheme,
}: Signing): Record<string, string> {
  const [path, query] = target.split('?')
  const components: [string, string][] = [
    ['@method', method],
    ['@authority', authority],
    ['@path', path as string],
    ['@query', `?${query ?? ''}`],
    ...(scheme === undefined ? [] : ([['@scheme', scheme]] as [string, string][])),
    ...(digest === undefined ? [] : ([['content-digest', digest]] as [string, string][])),
  ]
  const created = Math.floor(Date.now() / 1000)
  const one = nonce ?? randomBytes(8).toString('hex')
  const input = `(${components.map(([name]) => `"${name}"`).join(' ')});created=${created};keyid="k1";nonce="${one}"`
  const lines = components.map(([name, value]) => `"${name}": ${value}`)
  const base = [...lines, `"@signature-params": ${input}`].join('\n')
  const mac = createHmac('sha256', SECRET).update(base).digest('base64')
  return {
    ...(digest === undefined ? {} : { 'content-digest': digest }),
    'signature-input': `s=${input}`,
    signature: `s=:${mac}:`,
  }
}

const CONFIG = {
  auth: { signature: {} },
  consumers: {
    acme: {
      plan: 'gold',
      signingKeys: [{ id: 'k1', algorithm: 'hmac-sha256', secret: SECRET.toString('base64') }],
    },
  },
}

async function started(
  t: TestContext,
  server: object = {},
  more: Partial<Parameters<typeof gatewayTo>[2]> = {},
) {
  const target = await startTarget(t)
  const gateway = await gatewayTo(t, target.origin, {
    server,
    route: { auth: 'signature' },
    config: CONFIG,
    ...more,
  })
  return { target, ...gateway, authority: `127.0.0.1:${gateway.port}` }
}

test('a signed request goes through once, with whoever it is', async (t) => {
  const seen: unknown[] = []
  const { target, port, authority } = await started(
    t,
    {},
    {
      use: async (app) => {
        app.onRequestEnd((request) => seen.push(request.identity))
      },
    },
  )
  const headers = headersFor({ authority, target: '/a/../b%2Dc?x=%41&y' })
  const url = '/a/../b%2Dc?x=%41&y'
  assert.equal((await ask(port, { url, headers })).status, 200)
  assert.equal(target.seen[0]?.url, '/b-c?x=%41&y')
  const again = await ask(port, { url, headers })
  assert.equal(again.status, 401)
  assert.equal(JSON.parse(String(again.body)).detail, 'The signature is not valid')
  assert.equal(
    (await ask(port, { url: '/b-c?x=%41', headers: headersFor({ authority, target: url }) })).status,
    401,
  )
  assert.equal((await ask(port)).status, 401)
  assert.equal(target.seen.length, 1)
  const { id, kind, name, plan } = seen[0] as Record<string, unknown>
  assert.deepEqual(
    { id, kind, name, plan },
    { id: 'consumer:acme', kind: 'signature', name: 'acme', plan: 'gold' },
  )
})

test('a header that is covered and that Connection has taken out leaves the signature without it', async (t) => {
  const { target, port, authority } = await started(t)
  const ask5 = (headers: Record<string, string>) =>
    ask(port, {
      method: 'POST',
      headers: {
        ...headersFor({ authority, method: 'POST', digest: sha256('hello') }),
        ...headers,
        'Content-Length': 5,
      },
      body: 'hello',
    })
  assert.equal((await ask5({})).status, 200)
  assert.equal((await ask5({ Connection: 'close, Content-Digest' })).status, 401)
  assert.equal(target.seen.length, 1)
})

test('a body that is not the one that was signed is refused before any target is chosen', async (t) => {
  const gateway = await started(t)
  const { target, port, authority } = gateway
  const post = (body: string, digest?: string) =>
    ask(port, {
      method: 'POST',
      body,
      headers: {
        ...headersFor({ method: 'POST', authority, ...(digest === undefined ? {} : { digest }) }),
        'content-length': Buffer.byteLength(body),
      },
    })
  assert.equal((await post('{"a":1}', sha256('{"a":1}'))).status, 200)
  assert.equal(target.seen[0]?.body, '{"a":1}')
  const changed = await post('{"a":2}', sha256('{"a":1}'))
  assert.equal(changed.status, 401)
  assert.match(String(changed.body), /not the one that was signed/)
  assert.equal((await post('{"a":1}')).status, 401, 'a body that is not covered')
  assert.equal(target.seen.length, 1)
  assert.equal(inflight(gateway), 0)
  // No body, and yet a digest: of nothing.
  const get = (digest: string) => ask(port, { headers: headersFor({ authority, digest }) })
  assert.equal((await get(sha256(''))).status, 200)
  assert.equal((await get(sha256('x'))).status, 401)
})

test('a route that answers by itself takes no other body either', async (t) => {
  const { port, authority } = await started(
    t,
    {},
    { routes: [{ path: '/own', respond: { status: 202 }, auth: 'signature' }] },
  )
  const post = async (body: string) => {
    const signed = headersFor({ method: 'POST', authority, target: '/own', digest: sha256('{"a":1}') })
    const headers = { ...signed, 'content-length': body.length }
    return (await ask(port, { method: 'POST', url: '/own', body, headers })).status
  }
  assert.deepEqual([await post('{"a":1}'), await post('{"a":2}')], [202, 401])
})

test('a body that cannot be held whole is refused, with what to do about it', async (t) => {
  const { target, port, authority } = await started(t, { replayBody: 1000, bodyMemory: 1500 })
  const big = 'x'.repeat(1001)
  const signed = (body: string) => headersFor({ method: 'POST', authority, digest: sha256(body) })
  const large = await ask(port, {
    method: 'POST',
    body: big,
    headers: { ...signed(big), 'content-length': 1001 },
  })
  assert.equal(large.status, 413)
  assert.match(String(large.body), /at most 1000 bytes/)
  const chunked = await ask(port, { method: 'POST', body: Readable.from(['abc']), headers: signed('abc') })
  assert.equal(chunked.status, 411)
  assert.match(String(chunked.body), /Content-Length/)
  // Memory for one such body: as long as it is held, a second one has no place.
  const held = 'y'.repeat(1000)
  const begun = new Readable({ read() {} })
  begun.push('y')
  const slow = ask(port, {
    method: 'POST',
    body: begun,
    headers: { ...signed(held), 'content-length': 1000 },
  }).catch(() => undefined)
  let status = 0
  for (let i = 0; i < 200 && status !== 503; i++) {
    status = (
      await ask(port, { method: 'POST', body: held, headers: { ...signed(held), 'content-length': 1000 } })
    ).status
    assert.ok(status === 200 || status === 503, String(status))
  }
  assert.equal(status, 503)
  void slow
  assert.ok(target.seen.every(({ body }) => body === held))
})

test('with HTTP/2, and told by a proxy that is believed what the client asked for', async (t) => {
  const { target, port } = await started(t, { http2: true, trustProxy: ['127.0.0.1'] })
  const client = http2.connect(`http://127.0.0.1:${port}`)
  t.after(() => client.destroy())
  const post = async (body: string, sent: string, length = true) => {
    const stream = client.request({
      ':method': 'POST',
      ':path': '/p?q',
      ':authority': 'inside',
      'x-forwarded-host': 'api.example.com',
      'x-forwarded-proto': 'https',
      ...headersFor({
        method: 'POST',
        authority: 'api.example.com',
        target: '/p?q',
        scheme: 'https',
        digest: sha256(body),
      }),
      ...(length ? { 'content-length': sent.length } : {}),
    })
    stream.end(sent)
    const [headers] = await once(stream, 'response')
    await buffer(stream)
    return headers[':status'] as number
  }
  assert.equal(await post('hello', 'hello'), 200)
  assert.equal(await post('hello', 'hellO'), 401)
  assert.equal(await post('hello', 'hello', false), 411)
  const bare = client.request({
    ':path': '/p?q',
    ':authority': 'inside',
    'x-forwarded-host': 'api.example.com',
    ...headersFor({ authority: 'api.example.com', target: '/p?q' }),
  })
  const [headers] = await once(bare, 'response')
  assert.equal(headers[':status'], 200, 'without a body nothing has to be covered for it')
  assert.equal(target.seen.length, 2)
})

test('keys that could not be used are refused at the start, all at once', async () => {
  const signingKeys = [
    { id: 'a', algorithm: 'hmac-sha256', secret: 'c2hvcnQ=' },
    { id: 'a', algorithm: 'hmac-sha256', secret: 'not base64!' },
    { id: 'b', algorithm: 'hmac-sha256' },
    { id: 'c', algorithm: 'ed25519', secret: SECRET.toString('base64') },
    { id: 'd', algorithm: 'ed25519' },
    {
      id: 'e',
      algorithm: 'ed25519',
      publicKey: '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----',
    },
    { id: 'f', algorithm: 'ed25519', publicKey: '/nowhere.pem' },
    { id: 'g', algorithm: 'hmac-sha1', secret: 'x' },
    { id: 'h', algorithm: 'hmac-sha256', secret: undefined, expires: '2027-02-30' },
  ]
  const auth = { signature: { covers: ['@status', 'X-A'] } }
  const problems = await expectProblems({ auth, consumers: { acme: { signingKeys } } }, [
    'auth.signature.covers[0]: "@status" is no component',
    'auth.signature.covers[1]: "X-A" is no name of a header in lower case',
    'consumers.acme.signingKeys[0]: has a `secret` of 5 bytes',
    'consumers.acme.signingKeys[1].id: is the id of consumers.acme.signingKeys[0] too',
    'consumers.acme.signingKeys[1]: has a `secret` that is no base64',
    'consumers.acme.signingKeys[2]: has no `secret`',
    'consumers.acme.signingKeys[3]: has a `secret`, which ed25519 does not',
    'consumers.acme.signingKeys[4]: has no `publicKey`',
    'consumers.acme.signingKeys[5]: has a `publicKey` that cannot be read',
    'consumers.acme.signingKeys[6]: has as `publicKey` no file "/nowhere.pem"',
    'consumers.acme.signingKeys[7].algorithm: "hmac-sha1" is not one of the choices',
    'consumers.acme.signingKeys[8].expires: "2027-02-30" is no date',
  ])
  assert.ok(!problems.includes('c2hvcnQ='), 'a secret is not shown')
})
