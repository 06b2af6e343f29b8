/** Endpoints of the gateway's own, in `routes/` or of plugins, with the guards of a route of the config. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ownHouse, startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'

const ENDPOINTS = `export default async (app) => {
  const shared = { mine: true }
  app.get('/hello/:name', { config: shared }, async (request) => ({ hello: request.params, by: request.identity?.name ?? null }))
  app.post('/hello/:name', { config: shared }, async () => ({ posted: true }))
  app.get('/open', { config: shared }, async () => ({ open: true }))
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
         rateLimit: { max: 2, per: '1h', by: 'address' }, cors: { origins: ['https://a.example'] } },`,
      USERS,
    )
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
    const preflight = { origin: 'https://a.example', 'access-control-request-method': 'GET' }
    assert.equal((await fetch(`${url}/hello/you`, { method: 'OPTIONS', headers: preflight })).status, 204)
    await fetch(`${url}/livez`)
    const named = lines.filter(({ msg, route }) => msg === 'request' && route === 'hello')
    assert.ok(named.length >= 3, output())
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
