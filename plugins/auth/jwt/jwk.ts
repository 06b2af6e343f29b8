import { type Algorithm, algorithmOf } from './options.ts'

/** The public part of a key (RFC 7518, 6), rid of everything else. */
export type PublicJwk =
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'EC'; readonly crv: string; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }

/** A published key that signatures are verified with. */
export interface PublishedKey {
  readonly kid: string | undefined
  readonly algorithms: readonly Algorithm[]
  readonly jwk: PublicJwk
}

/** Shorter RSA keys are refused (RFC 7518, 3.3). */
export const MIN_RSA_BITS = 2048
/** Longer ones would only make verifying slow. */
export const MAX_RSA_BITS = 16_384

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const CURVES: Readonly<Record<string, Algorithm>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }
const BASE64URL = /^[A-Za-z0-9_-]+$/

/** The algorithms (RFC 7518, 3.1; RFC 8037) that a key of this kind can verify, if it is strong enough; else why not. */
export function algorithmsFor(
  kind: 'RSA' | 'EC' | 'OKP',
  detail: { bits?: number; exponent?: bigint; crv?: string },
): readonly Algorithm[] | string {
  const { bits = 0, exponent = 0n, crv = '' } = detail
  if (kind === 'RSA') {
    if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
      return `is an RSA key of ${bits} bits; from ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are taken`
    }
    // With an exponent of 1 a signature is the text itself: anyone can make it.
    return exponent >= 3n && exponent % 2n === 1n ? RSA : `is an RSA key with the exponent ${exponent}`
  }
  const algorithm =
    kind === 'EC' && Object.hasOwn(CURVES, crv)
      ? CURVES[crv]
      : kind === 'OKP' && crv === 'Ed25519'
        ? 'EdDSA'
        : undefined
  return algorithm === undefined
    ? `has the curve ${crv.slice(0, 20)}, which no algorithm here uses`
    : [algorithm]
}

function bitsOf(n: string): number {
  const bytes = Buffer.from(n, 'base64url')
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? 0 : (bytes.length - first) * 8 - Math.clz32(bytes[first] as number) + 24
}

function numberOf(text: string): bigint {
  return BigInt(`0x0${Buffer.from(text, 'base64url').toString('hex')}`)
}

function publicPart(jwk: Readonly<Record<string, unknown>>): PublicJwk | string {
  const { kty, crv, n, e, x, y } = jwk
  const wanted = kty === 'RSA' ? [n, e] : kty === 'EC' ? [x, y] : kty === 'OKP' ? [x] : undefined
  // A shared secret that is published is none.
  if (wanted === undefined) return 'is of a kind that is not taken'
  if (!wanted.every((part) => typeof part === 'string' && BASE64URL.test(part))) return 'lacks a part'
  if (kty === 'RSA') return { kty, n: n as string, e: e as string }
  if (typeof crv !== 'string') return 'has no curve'
  return kty === 'EC'
    ? { kty, crv, x: x as string, y: y as string }
    : { kty: 'OKP', crv: crv as 'Ed25519', x: x as string }
}

function meantForVerifying({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  if (use !== undefined && use !== 'sig') return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

/** The key, or why it cannot be used; undefined if it is for something else than signatures, as many issuers have. */
function readKey(value: unknown): PublishedKey | string | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return 'is no object'
  const jwk = value as Readonly<Record<string, unknown>>
  const { kid, alg } = jwk
  if (kid !== undefined && typeof kid !== 'string') return 'has a kid that is no text'
  if (!meantForVerifying(jwk)) return undefined
  if ('d' in jwk || 'k' in jwk) return 'is published with its private part'
  const part = publicPart(jwk)
  if (typeof part === 'string') return part
  const able =
    part.kty === 'RSA'
      ? algorithmsFor('RSA', { bits: bitsOf(part.n), exponent: numberOf(part.e) })
      : algorithmsFor(part.kty, { crv: part.crv })
  if (typeof able === 'string') return able
  const algorithms = alg === undefined ? able : able.filter((one) => one === algorithmOf(String(alg)))
  return algorithms.length === 0 ? 'has an alg that does not go with it' : { kid, algorithms, jwk: part }
}

/** As many keys as a set may hold. */
const MOST_KEYS = 100

export interface ReadSet {
  readonly keys: readonly PublishedKey[]
  /** What was left out and why, for the log. */
  readonly left: readonly string[]
}

/**
 * The keys of a JWK set (RFC 7517, 5) that signatures are verified with. Keys that cannot be used are left out, as the
 * RFC has it. Two different keys that answer to one `kid` and algorithm are both left out: there is no telling which
 * one is meant. Throws if it is no set at all.
 */
export function readJwkSet(document: unknown): ReadSet {
  const list = (document as { keys?: unknown } | null)?.keys
  if (!Array.isArray(list)) throw new Error('what was fetched is no set of keys')
  if (list.length > MOST_KEYS) throw new Error(`the set has ${list.length} keys, more than ${MOST_KEYS}`)
  const keys = new Map<string, PublishedKey>()
  const left: string[] = []
  for (const [i, one] of list.entries()) {
    const read = readKey(one)
    if (typeof read === 'string') left.push(`key ${i} ${read}`)
    else if (read !== undefined) keys.set(JSON.stringify(read), read)
  }
  const all = [...keys.values()]
  const clashes = (key: PublishedKey): boolean =>
    key.kid !== undefined &&
    all.some(
      (other) =>
        other !== key &&
        other.kid === key.kid &&
        other.algorithms.some((one) => key.algorithms.includes(one)),
    )
  const clashing = all.filter(clashes)
  for (const { kid } of clashing) left.push(`"${kid?.slice(0, 40)}" is the kid of several keys`)
  return { keys: all.filter((key) => !clashing.includes(key)), left }
}
