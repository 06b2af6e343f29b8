import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import { buildGateway } from '../support/gateway.ts'
import { listen, startTarget, type TestTarget } from '../support/target.ts'

type Lifetime = Parameters<typeof startTarget>[0]

export const AUDIENCE = 'https://api.example.com'
export const SECRET = 'a secret of more than thirty-two bytes, for tests'

export interface SigningKey {
  readonly alg: string
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: JWK
  readonly pem: string
}

export async function signingKey(alg: string, kid: string, options: object = {}): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true, ...options })
  return {
    alg,
    kid,
    privateKey: createPrivateKey(await exportPKCS8(privateKey)),
    jwk: { ...(await exportJWK(publicKey)), kid },
    pem: await exportSPKI(publicKey),
  }
}

export const now = (): number => Math.floor(Date.now() / 1000)

/** What a good token of `issuer` claims; `undefined` takes a claim away. */
export function claimsOf(issuer: string, claims: object = {}): Record<string, unknown> {
  return { iss: issuer, aud: AUDIENCE, sub: 'alice', iat: now(), exp: now() + 300, ...claims }
}

export function sign(key: SigningKey, claims: object, header: object = {}): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .sign(key.privateKey)
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** An issuer that publishes `keys`, and counts who asks for them. */
export interface Publisher {
  readonly issuer: string
  readonly jwksUri: string
  keys: JWK[]
  /** Instead of the keys, if it is set. */
  answer: { status?: number; body?: string; hang?: boolean } | undefined
  discovery: object | undefined
  fetches: number
  close(): Promise<void>
}

export async function publisher(t: Lifetime, keys: readonly SigningKey[]): Promise<Publisher> {
  const server = await listen((request, response) => {
    if (request.url !== '/jwks') {
      response.end(JSON.stringify(state.discovery ?? { issuer: state.issuer, jwks_uri: state.jwksUri }))
      return
    }
    state.fetches++
    const { status = 200, body, hang } = state.answer ?? {}
    if (hang === true) return
    response.statusCode = status
    response.end(body ?? JSON.stringify({ keys: state.keys }))
  })
  t.after(() => server.close())
  const state: Publisher = {
    issuer: server.origin,
    jwksUri: `${server.origin}/jwks`,
    keys: keys.map(({ jwk }) => jwk),
    answer: undefined,
    discovery: undefined,
    fetches: 0,
    close: server.close,
  }
  return state
}

/** Runs what was handed to its `after`, the last first: for what all tests of a suite share. */
export function lifetime(): Lifetime & { end(): Promise<void> } {
  const ends: (() => unknown)[] = []
  return {
    after: (end) => void ends.unshift(end as () => unknown),
    async end() {
      for (const end of ends) await end()
    },
  }
}

export interface Guarded {
  readonly app: FastifyInstance
  readonly target: TestTarget
  readonly log: string[]
  /** Asks the guarded route. */
  ask(headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** The same with a token. */
  bring(token: string): Promise<LightMyRequestResponse>
  /** What a collector of this name shows, by its label values. */
  measured(name: string): Record<string, number>
}

/** A gateway with `auth` whose route `/*` is guarded, by `jwt` unless `route` says otherwise. */
export async function guarded(
  t: Lifetime,
  auth: object,
  {
    route = 'jwt',
    config = {},
    use,
  }: { route?: unknown; config?: object; use?: (app: FastifyInstance) => Promise<void> } = {},
): Promise<Guarded> {
  const target = await startTarget(t)
  const log: string[] = []
  const app = await buildGateway(
    {
      auth,
      upstreams: { main: { targets: [{ origin: target.origin }] } },
      routes: [{ name: 'guarded', path: '/*', upstream: 'main', auth: route }],
      ...config,
    },
    { log: (line) => log.push(line), ...(use === undefined ? {} : { use }) },
  )
  t.after(() => app.close())
  await app.ready()
  const ask = (headers: Record<string, string> = {}): Promise<LightMyRequestResponse> =>
    app.inject({ url: '/a', headers })
  return {
    app,
    target,
    log,
    ask,
    bring: (token) => ask({ authorization: `Bearer ${token}` }),
    measured(name) {
      const shown: Record<string, number> = {}
      app.upstreams.collectors
        .find((collector) => collector.name === name)
        ?.collect((value, ...labels) => {
          shown[labels.join(' ')] = value
        })
      return shown
    },
  }
}
