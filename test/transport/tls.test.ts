import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { portFor } from '../support/ports.ts'
import { ask, gatewayTo } from './support.ts'

const authority = createAuthority()
const foreign = createAuthority('Another CA')

async function secureTarget(t: Parameters<typeof gatewayTo>[0], names: readonly string[]): Promise<string> {
  const { cert, key } = authority.issue('target.test', { names })
  const server = createServer({ cert, key }, (request, response) => {
    response.end(`sni ${(request.socket as TLSSocket & { servername?: string }).servername}`)
  })
  const port = await portFor(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `https://127.0.0.1:${port}`
}

const NONE = { failover: { retries: 0 } }

test('a target named by its address is verified against it, whatever the client’s Host', async (t) => {
  const origin = await secureTarget(t, ['IP:127.0.0.1'])
  const { port } = await gatewayTo(t, origin, { upstream: { ...NONE, tls: { ca: authority.cert } } })
  for (const Host of ['api.example.com', 'other.example.com']) {
    const { status, body } = await ask(port, { headers: { Host } })
    assert.equal(status, 200)
    assert.equal(body.toString(), 'sni false')
  }
})

test('a certificate for another name is refused', async (t) => {
  const origin = await secureTarget(t, ['IP:127.0.0.2'])
  const { port } = await gatewayTo(t, origin, { upstream: { ...NONE, tls: { ca: authority.cert } } })
  assert.equal((await ask(port, { headers: { Host: 'target.test' } })).status, 502)
})

test('a certificate of an unknown authority is refused', async (t) => {
  const origin = await secureTarget(t, ['IP:127.0.0.1'])
  for (const tls of [{ ca: foreign.cert }, undefined]) {
    const { port } = await gatewayTo(t, origin, {
      upstream: { ...NONE, ...(tls === undefined ? {} : { tls }) },
    })
    assert.equal((await ask(port)).status, 502)
  }
})

test('an unverified target is served only where the config says so', async (t) => {
  const origin = await secureTarget(t, [])
  const { port } = await gatewayTo(t, origin, { upstream: { ...NONE, tls: { verify: false } } })
  assert.equal((await ask(port)).status, 200)
})

test('the configured server name is asked for and verified', async (t) => {
  const origin = await secureTarget(t, [])
  const { port } = await gatewayTo(t, origin, {
    upstream: { ...NONE, tls: { ca: authority.cert, serverName: 'target.test' } },
  })
  const { status, body } = await ask(port)
  assert.equal(status, 200)
  assert.equal(body.toString(), 'sni target.test')
})
