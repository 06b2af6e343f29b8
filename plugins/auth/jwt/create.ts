import { hash, randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { pem } from '../../config/certificate.ts'
import { decorated } from '../../config/decorated.ts'
import type { Authenticator, AuthenticatorContext } from '../authenticator.ts'
import { bearerChallenge } from '../challenges.ts'
import { collectors } from './collectors.ts'
import { ConfiguredKeys } from './configured-keys.ts'
import { keyFetcher } from './discovery.ts'
import { fetchJson } from './fetch-json.ts'
import { ALGORITHMS, type IssuerOptions, type JwtOptions } from './options.ts'
import { PublishedKeys } from './published-keys.ts'
import { RevocationList } from './revocation-list.ts'
import { RevocationMirror } from './revocation-mirror.ts'
import { type Shared, serveRevocations } from './revocation-routes.ts'
import { type Redis, RevocationStore } from './revocation-store.ts'
import { TokenVerifier } from './verify.ts'

function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}

/** @fastify/jwt is loaded by those who use it. */
const loadKeys = () => import('./keys.ts')

function publishedBy(issuer: IssuerOptions, { app, now, date, random }: AuthenticatorContext): PublishedKeys {
  const { ca, timeout } = issuer
  const fetch = keyFetcher(issuer, (url, signal) =>
    fetchJson(url, { ca: ca === undefined ? undefined : pem(ca), timeoutMs: timeout, signal }),
  )
  return new PublishedKeys(issuer, {
    now,
    date,
    random,
    after,
    fetch,
    build: async (published, left) => (await loadKeys()).publishedKeys(published, issuer, left),
    log: (level, text) => app.log[level]({ issuer: issuer.issuer }, text),
  })
}

function trusted(issuer: IssuerOptions, revocations: RevocationList, context: AuthenticatorContext) {
  const { secret, publicKey, algorithms, audience, requiredClaims, typ } = issuer
  const inConfig = secret !== undefined || publicKey !== undefined
  const keys = inConfig
    ? new ConfiguredKeys(async () => (await loadKeys()).configuredKeys(issuer))
    : publishedBy(issuer, context)
  const usual = ALGORITHMS.filter((one) => (secret === undefined ? !one.startsWith('HS') : one === 'HS256'))
  return {
    rules: {
      issuer: issuer.issuer,
      audience: audience === false ? audience : [audience].flat(),
      leeway: issuer.leeway,
      maxAge: issuer.maxAge,
      typ: typ?.toLowerCase().replace(/^application\//, ''),
      required: requiredClaims,
      subject: issuer.subject,
    },
    algorithms: new Set<string>(algorithms ?? usual),
    keys,
    revoked: revocations.of(issuer.issuer),
    roles: issuer.roles,
    consumer: issuer.consumer,
    consumers: issuer.consumers,
  }
}

/** Authentication by JWTs of the issuers in the options. */
export function createJwt(options: JwtOptions, context: AuthenticatorContext): Authenticator {
  const { app, now, date, realm } = context
  if (options.from.header !== undefined) app.secretHeaders.add(options.from.header)
  const revocations = new RevocationList(options.revocations.max)
  const issuers = options.issuers.map((issuer) => trusted(issuer, revocations, context))
  const names = options.issuers.map(({ issuer }) => issuer)

  const { refresh, staleAfter, store } = options.revocations
  const redis = store === 'local' ? undefined : decorated<Redis>(app, 'redis')
  const mirror =
    redis === undefined
      ? undefined
      : new RevocationMirror(revocations, new RevocationStore(redis, randomUUID), refresh, {
          now,
          date,
          after,
          log: (level, text) => app.log[level](text),
        })
  const shared: Shared = mirror ?? {
    add: async (revocation) => {
      revocations.add(revocation)
      return true
    },
    remove: async (id) => revocations.remove(id),
    tidy: () => revocations.forget(revocations.over(date())),
  }
  const admin = decorated<FastifyInstance>(app, 'admin')
  if (admin !== undefined) serveRevocations(admin, revocations, names, shared, date)

  const verifier = new TokenVerifier(options, issuers, {
    date,
    hash: (token) => hash('sha256', token, 'base64url'),
    consumer: context.consumer,
    knowsRevocations: () => mirror === undefined || staleAfter === 0 || mirror.age < staleAfter,
  })
  if (mirror !== undefined && staleAfter > 0) {
    const notReadyWhile = decorated<(reason: string, waits: () => boolean) => void>(app, 'notReadyWhile')
    // It would refuse every token. Those that it is to replace, in a rolling restart, know what is revoked.
    notReadyWhile?.('revocations unknown', () => !mirror.heard)
  }
  const sources = issuers.flatMap(({ keys, rules }) =>
    keys instanceof PublishedKeys ? [[rules.issuer, keys] as const] : [],
  )
  for (const collector of collectors(sources, verifier, revocations, mirror)) app.upstreams.measure(collector)

  return {
    challenge: bearerChallenge(realm),
    authenticate: (request) => verifier.authenticate(request),
    async start() {
      for (const { issuer, audience } of options.issuers)
        if (audience === false)
          app.log.warn(
            { issuer },
            '`audience` is false: tokens of this issuer are taken whoever they are for',
          )
      const shared = redis?.connect().then(() => mirror?.start())
      await Promise.all([shared, ...issuers.map(({ keys }) => keys.start())])
    },
    stop() {
      mirror?.stop()
      for (const { keys } of issuers) keys.stop()
    },
  }
}
