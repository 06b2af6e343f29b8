/** With a real identity provider: its discovery, its tokens, its keys, and its being away. */
import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { exportJWK, type JWK } from 'jose'
import { Provider } from 'oidc-provider'
import type { Identity } from '../../plugins/upstreams/identity.ts'
import { until } from '../support/until.ts'
import { AUDIENCE, guarded, signingKey } from './tokens.ts'

const CLIENT = { client_id: 'robot', client_secret: 'the secret of the robot' }

async function privateJwk(kid: string): Promise<JWK> {
  const { privateKey } = await signingKey('RS256', kid)
  return { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' }
}

function provider(issuer: string, keys: readonly JWK[]): RequestListener {
  const configuration = {
    clients: [{ ...CLIENT, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
    cookies: { keys: ['for tests'] },
    jwks: { keys },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        getResourceServerInfo: () => ({
          scope: 'orders:read orders:write',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
  return new Provider(issuer, configuration as never).callback()
}

it('a real provider: tokens, rotation, withdrawal, outage and return', { timeout: 60_000 }, async (t) => {
  let listener: RequestListener = (_, response) => response.writeHead(503).end()
  let jwksFetches = 0
  let server: Server
  const start = async (port = 0): Promise<void> => {
    server = createServer((request, response) => {
      if (request.url === '/jwks') jwksFetches++
      listener(request, response)
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  }
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  await start()
  t.after(() => server.close())
  const { port } = server!.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}`
  const fetchToken = async (scope = 'orders:read'): Promise<string> => {
    const { client_id: user, client_secret: secret } = CLIENT
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${user}:${encodeURIComponent(secret)}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope, resource: AUDIENCE }),
    })
    const answer = (await response.json()) as { access_token?: string }
    assert.ok(answer.access_token, JSON.stringify(answer))
    return answer.access_token
  }
  const kidOf = (token: string): string =>
    JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()).kid

  const [a, b, c] = [await privateJwk('a'), await privateJwk('b'), await privateJwk('c')]
  listener = provider(issuer, [a])
  const identities: (Identity | null)[] = []
  const options = { issuer, audience: AUDIENCE, typ: 'at+jwt', refresh: '1s', cooldown: '1ms', timeout: '1s' }
  const gateway = await guarded(
    t,
    { jwt: { issuers: [options] } },
    {
      use: async (app) =>
        app.addGuard({
          name: 'look',
          stage: 'authorize',
          forRoute: () => (request) => void identities.push(request.identity),
        }),
    },
  )
  const status = async (token: string): Promise<number> => (await gateway.bring(token)).statusCode
  const failures = (): number => gateway.measured('jwks_refresh_failures_total')[issuer] ?? 0

  const first = await fetchToken('orders:read orders:write')
  assert.equal(kidOf(first), 'a')
  assert.equal(await status(first), 200)
  assert.deepEqual([identities[0]?.name, identities[0]?.scopes], ['robot', ['orders:read', 'orders:write']])

  // It signs with a new key, and still publishes the old one.
  listener = provider(issuer, [b, a])
  const second = await fetchToken()
  assert.equal(kidOf(second), 'b')
  const before = jwksFetches
  const many = await Promise.all([...Array.from({ length: 20 }, () => status(second)), status(first)])
  assert.deepEqual(new Set(many), new Set([200]))
  // One for the new key; on a slow machine the usual one may come in between.
  assert.ok(jwksFetches - before <= 3, `${jwksFetches - before} fetches`)

  // The old key is withdrawn.
  listener = provider(issuer, [b])
  await until('the withdrawal', async () => (await status(first)) === 401)
  assert.equal(await status(second), 200)

  // It goes away: its last keys are good, also for tokens that were never seen.
  const third = await fetchToken('orders:write')
  await stop()
  await until('a failed fetch', () => failures() > 0)
  assert.deepEqual([await status(second), await status(third), await status(first)], [200, 200, 503])
  const late = await guarded(t, { jwt: { issuers: [options] } })
  assert.equal((await late.bring(second)).statusCode, 503, 'there were never any keys')
  assert.equal((await late.app.inject('/livez')).statusCode, 200)

  // It is back, with yet another key.
  listener = provider(issuer, [c, b])
  await start(port)
  const fourth = await fetchToken()
  assert.equal(kidOf(fourth), 'c')
  await until('the new key', async () => (await status(fourth)) === 200)
  await until('keys for the late one', async () => (await late.bring(second)).statusCode === 200)
  assert.equal(await status(first), 401)
  const said = gateway.log
    .filter((line) => line.includes("the issuer's keys"))
    .map((line) => JSON.parse(line).msg as string)
  assert.match(said[0] ?? '', /cannot be fetched, its last keys are kept/)
  assert.match(said.at(-1) ?? '', /are there again, after \d+ failures/)
  assert.equal(said.length, 2)
})
