import { createPublicKey, verify } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import type { PublishedKey } from './jwk.ts'
import type { VerifyKey } from './key-ring.ts'
import type { Algorithm, IssuerOptions } from './options.ts'
import { readPublicKeys } from './public-keys.ts'
import { fingerprintOf } from './published-keys.ts'

/**
 * fast-jwt knows Ed25519 as `EdDSA` only, and not by its newer name (RFC 9864). It would do no more than this for such a
 * token either: what it claims has been looked at before any key is.
 */
function ed25519Verifier(key: string): (token: string) => void {
  const publicKey = createPublicKey(key)
  return (token) => {
    const end = token.lastIndexOf('.')
    const signature = Buffer.from(token.slice(end + 1), 'base64url')
    if (!verify(null, Buffer.from(token.slice(0, end)), publicKey, signature))
      throw new Error('the signature is not what the key makes of it')
  }
}

/** What verifies a signature: PEM text of a public key, or a shared secret. */
interface Material extends Omit<VerifyKey, 'verify' | 'live'> {
  readonly key: string
}

/**
 * Keys with a verifier of @fastify/jwt each, so that none is built for a request. What the package leaves open is
 * closed here: claims that are missing pass `allowedIss` and `allowedAud`, so they are required; the algorithms are
 * those of the key; and no key is ever looked up by it, so it never holds an empty one.
 */
async function withVerifiers(
  material: readonly Material[],
  { issuer, audience, leeway }: IssuerOptions,
): Promise<VerifyKey[]> {
  const host = Fastify()
  for (const [i, { key, algorithms }] of material.entries()) {
    if (algorithms.includes('EdDSA')) continue
    host.register(fastifyJwt, {
      namespace: String(i),
      secret: { public: key },
      verify: {
        algorithms: [...algorithms],
        requiredClaims: ['iss', 'exp', ...(audience === false ? [] : ['aud'])],
        allowedIss: issuer,
        ...(audience === false ? {} : { allowedAud: [audience].flat() }),
        clockTolerance: leeway,
        // A cache of its own could not know of withdrawn keys and revocations.
        cache: false,
      },
    })
  }
  await host.ready()
  const verifiers = host.jwt as unknown as Readonly<Record<string, { verify(token: string): unknown }>>
  return material.map(({ kid, algorithms, fingerprint, key }, i) => ({
    kid,
    algorithms,
    fingerprint,
    live: true,
    verify: algorithms.includes('EdDSA')
      ? ed25519Verifier(key)
      : (token) => (verifiers[i] as { verify(token: string): unknown }).verify(token),
  }))
}

/** The algorithms that an issuer may use: what the config says, or what is safe with its kind of key. */
function allowed({ algorithms, secret }: IssuerOptions, able: readonly Algorithm[]): readonly Algorithm[] {
  const wanted = algorithms ?? (secret === undefined ? able : (['HS256'] as const))
  return able.filter((one) => wanted.includes(one))
}

/** Keys that stand in the config. */
export function configuredKeys(issuer: IssuerOptions): Promise<VerifyKey[]> {
  const { secret, publicKey } = issuer
  const material: readonly { algorithms: readonly Algorithm[]; key: string }[] =
    secret === undefined
      ? readPublicKeys(publicKey ?? [])
      : [{ algorithms: ['HS256', 'HS384', 'HS512'], key: secret }]
  return withVerifiers(
    material.flatMap(({ algorithms, key }, i) => {
      const usable = allowed(issuer, algorithms)
      return usable.length === 0 ? [] : [{ kid: undefined, algorithms: usable, fingerprint: String(i), key }]
    }),
    issuer,
  )
}

/** Keys that the issuer publishes. Those that are no keys after all (no point of their curve) are left out. */
export function publishedKeys(
  published: readonly PublishedKey[],
  issuer: IssuerOptions,
  left: (why: string) => void,
): Promise<VerifyKey[]> {
  const material = published.flatMap((one) => {
    const algorithms = allowed(issuer, one.algorithms)
    if (algorithms.length === 0) return []
    try {
      const key = createPublicKey({ key: one.jwk as never, format: 'jwk' })
      const text = key.export({ type: 'spki', format: 'pem' }).toString()
      return [{ kid: one.kid, algorithms, fingerprint: fingerprintOf(one), key: text }]
    } catch {
      left(`"${one.kid?.slice(0, 40) ?? ''}" is no key`)
      return []
    }
  })
  return withVerifiers(material, issuer)
}
