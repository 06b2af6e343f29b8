/** Endpoints of the gateway's own, in `routes/` or of plugins, with the guards of a route of the config. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ownHouse, startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { eventually } from '../transport/support.ts'

const ENDPOINTS = `export default async (app) => {
  const shared = { mine: true }
  app.get('/hello/:name', { config: shared }, async (request) => ({ hello: request.params, by: request.identity?.name ?? null }))
  app.post('/hello/:name', { config: shared }, async () => ({ posted: true }))
  app.get('/open', { config: shared }, async () => ({ open: true }))
  app.post('/pay', async ({ body }) => ({ paid: body }))
  app.get('/pay', async () => ({ paid: null }))
  app.get('/a', async () => ({ open: true }))
  app.get('/a/', async () => ({ open: true }))
  app.register(async (below) => void below.get('/', async () => ({ open: true })), { prefix: '/below' })
}`
const USERS = `auth: { 'api-key': {} },
  consumers: { acme: { scopes: ['hello'], apiKeys: [{ hash: 'sha256:805dbe761cadd2b37008af9f4364b9d1b0bfd1b392c2b75bd17e85e64c2267bc' }] } },`

async function gatewayWith(t: TestContext, routes: string, more = '') {
  const target = await startTarget(t)
  const folder = await ownHouse(t)
  await mkdir(join(folder, 'routes'), { recursive: true })
  await writeFile(join(folder, 'routes/hello.ts'), ENDPOINTS)
  return startProcess(t, {
    folder,
    config: `export default {
      server: { drain: 0 },
      ${more}
      upstreams: { u: { targets: [{ origin: '${target.origin}' }] } },
      routes: [${routes}{ path: '/*', upstream: 'u' }],
    }`,
  })
}

describe('an endpoint of one’s own', { timeout: 60_000 }, () => {
  it('has the guards, the limits and the name that the config gives it, and no other endpoint has', async (t) => {
    const { url, lines, output } = await gatewayWith(
      t,
      `{ name: 'hello', path: '/hello/:name', methods: ['GET'], endpoint: true, auth: 'api-key',
         rateLimit: { max: 3, per: '1h', by: 'address' }, cors: { origins: ['https://a.example'] } },`,
      USERS,
    )
    const preflight = { origin: 'https://a.example', 'access-control-request-method': 'GET' }
    assert.equal((await fetch(`${url}/hello/you`, { method: 'OPTIONS', headers: preflight })).status, 204)
    const refused = await fetch(`${url}/hello/you`, { headers: { origin: 'https://a.example' } })
    assert.equal(refused.status, 401, output())
    assert.equal(refused.headers.get('access-control-allow-origin'), 'https://a.example')
    assert.equal((await fetch(`${url}/%68ello//you`)).status, 401, 'by its canonical path')
    assert.equal((await fetch(`${url}/hello/you`)).status, 429)
    assert.equal(
      (await fetch(`${url}/hello/you`, { method: 'POST' })).status,
      200,
      'not a method of the route',
    )
    assert.equal((await fetch(`${url}/open`)).status, 200)
    await fetch(`${url}/livez`)
    const named = () => lines.filter(({ msg, route }) => msg === 'request' && route === 'hello').length
    await eventually(() => named() >= 3, 'lines that name the route')
  })

  it('is guarded with a slash at its end, and in each of its methods', async (t) => {
    const { url, output } = await gatewayWith(
      t,
      `{ path: '/below', endpoint: true, auth: 'api-key' }, { path: '/a', endpoint: true, auth: 'api-key' },
       { path: '/a/', endpoint: true },`,
      USERS,
    )
    // Of `/` under a prefix Fastify answers GET without the slash, and HEAD with it.
    const asked = [
      ['GET', '/below'],
      ['HEAD', '/below'],
      ['HEAD', '/below/'],
      ['HEAD', '/below//'],
      ['OPTIONS', '/below'],
      ['QUERY', '/below'],
    ] as const
    for (const [method, path] of asked)
      assert.equal((await fetch(url + path, { method })).status, 401, `${method} ${path}: ${output()}`)
    assert.equal((await fetch(`${url}/a`)).status, 401)
    assert.equal((await fetch(`${url}/a/`)).status, 200, 'has a route of its own')
  })

  it('of a plugin that has none of the gateway’s hooks is refused: no guard would hold for it', async (t) => {
    const folder = await ownHouse(t, {
      'plugins/bare.ts': `export default async (app) => { app.get('/bare', async () => 'open') }`,
    })
    const config = `export default { upstreams: {}, routes: [{ path: '/bare', endpoint: true }] }`
    const { ended, output } = await startProcess(t, { folder, config })
    assert.equal(await ended, 1)
    assert.match(output(), /plugins: the endpoint "\/bare" is added before .* `dependencies: \['routing'\]`/)
  })

  it('reads no other body than the one that was signed', async (t) => {
    const secret = Buffer.alloc(48, 7)
    const { url, output } = await gatewayWith(
      t,
      `{ path: '/pay', endpoint: true, auth: 'signature' },`,
      `auth: { signature: { covers: ['@method'], nonce: 'optional' } },
       consumers: { acme: { signingKeys: [{ id: 'k', algorithm: 'hmac-sha256', secret: '${secret.toString('base64')}' }] } },`,
    )
    const ask = async (method: string, signed: string, sent?: string | ReadableStream) => {
      const digest = `sha-256=:${createHash('sha256').update(signed).digest('base64')}:`
      const input = `("@method" "content-digest");created=${Math.floor(Date.now() / 1000)};keyid="k"`
      const base = `"@method": ${method}\n"content-digest": ${digest}\n"@signature-params": ${input}`
      const signature = `s=:${createHmac('sha256', secret).update(base).digest('base64')}:`
      const headers = {
        'content-type': 'application/json',
        'content-digest': digest,
        'signature-input': `s=${input}`,
        signature,
      }
      const body = sent === undefined ? {} : { body: sent, duplex: 'half' }
      const answer = await fetch(`${url}/pay`, { method, headers, ...body } as RequestInit)
      return [answer.status, ((await answer.json()) as { paid?: unknown }).paid]
    }
    const paid = { amount: 1, for: 'x'.repeat(20_000) }
    const text = JSON.stringify(paid)
    assert.deepEqual(await ask('POST', text, text), [200, paid], output())
    assert.deepEqual(await ask('POST', '{"amount":1}', '{"amount":9}'), [401, undefined])
    assert.deepEqual(await ask('POST', text, new Blob([text]).stream()), [411, undefined])
    const large = JSON.stringify('x'.repeat(100_000))
    assert.deepEqual(await ask('POST', large, large), [413, undefined])
    assert.deepEqual(await ask('GET', ''), [200, null])
    assert.deepEqual(await ask('GET', 'x'), [401, undefined])
  })

  it('that the config guards and nobody answers is told at the start: it would stand open', async (t) => {
    const { ended, output } = await gatewayWith(
      t,
      `{ path: '/helo/:name', endpoint: true, auth: 'api-key' },
       { path: '/open', methods: ['PUT'], endpoint: true },
       { path: '/hello/:name', endpoint: true, host: 'a.example', timeout: '1s' },`,
      USERS,
    )
    assert.equal(await ended, 1)
    const told = output()
    assert.match(told, /routes\[2\]\.host: does nothing for an `endpoint`/)
    assert.match(told, /routes\[2\]\.timeout: does nothing, since the route forwards nothing/)
  })

  it('is refused where it is misspelt, each with its path', async (t) => {
    const { ended, output } = await gatewayWith(
      t,
      `{ path: '/helo/:name', endpoint: true, auth: 'api-key' }, { path: '/open', methods: ['PUT'], endpoint: true },`,
      USERS,
    )
    assert.equal(await ended, 1)
    assert.match(
      output(),
      /routes\[0\]\.endpoint: no file in routes\/ and no plugin answers "\/helo\/:name"; /,
    )
    assert.match(output(), /routes\[1\]\.endpoint: .* answers "\/open" for PUT; /)
  })
})
