import {
  custom,
  duration,
  integer,
  list,
  nonEmptyList,
  object,
  oneOf,
  optional,
  section,
  size,
  text,
  withDefault,
} from '../../config/kit.ts'
import { secret } from '../../config/secret.ts'
import type { Resolved } from '../../config/typed.ts'
import { claimPath } from '../token-claims.ts'

/** What is verified. Neither `none` nor Ed448: `EdDSA` is with Ed25519 (RFC 8037), and with nothing else. */
export const ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
  ...(['HS256', 'HS384', 'HS512'] as const),
] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** The name here of an algorithm that a token or a key names: `Ed25519` is the newer one of `EdDSA` (RFC 9864, 2.2). */
export function algorithmOf(name: string): string {
  return name === 'Ed25519' ? 'EdDSA' : name
}

function refuseTexts(value: unknown): string | undefined {
  const all = Array.isArray(value) ? value : [value]
  return all.length > 0 && all.every((one) => typeof one === 'string' && one !== '')
    ? undefined
    : 'must be text or a list of texts'
}
type Texts = string | readonly [string, ...string[]]
const texts = custom<Texts>(refuseTexts)
const textsOrFalse = custom<Texts | false>((value) => (value === false ? undefined : refuseTexts(value)), {
  remedy: 'write what `aud` names you by, or `false` where the issuer sets none: see docs/jwt.md',
})

const issuer = object({
  /** What the `iss` claim of its tokens says, to the letter. */
  issuer: text({ minLength: 1 }),
  /**
   * What the `aud` claim has to name: this gateway, as the issuer knows it. One of several will do. `false` takes
   * tokens whoever they are for, those without `aud` too: whatever else trusts this issuer can then use its callers'
   * tokens here, and so can who has an ID token.
   */
  audience: textsOrFalse,
  /**
   * The signatures that are taken. Default: with a `secret` HS256, else all that are not made with a shared secret:
   * RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA (Ed25519, by either name).
   */
  algorithms: optional(nonEmptyList(oneOf(ALGORITHMS), { noun: 'algorithm' })),
  /** Where the issuer publishes its keys (RFC 7517). Default: found by its discovery document. */
  jwksUri: optional(text({ minLength: 1 })),
  /** PEM text of a public key or certificate, or the path of a PEM file, instead of published keys; or several. */
  publicKey: optional(texts),
  /** A shared secret instead of keys; from the environment. At least as long as the hash (RFC 7518, 3.2). */
  secret: optional(secret),
  /** Certificates that its HTTPS may be signed by: PEM text, or the path of a PEM file. Default: the system's. */
  ca: optional(text({ minLength: 1 })),
  /** How often published keys are fetched, up to a tenth sooner or later. Default 5m. */
  refresh: withDefault(duration({ minimum: '1s', maximum: '1d' }), '5m'),
  /** A fetch that takes longer has failed. Default 5s. */
  timeout: withDefault(duration({ minimum: 1, maximum: '1m' }), '5s'),
  /** A token that names an unknown key makes them be fetched, at most this often. Default 30s. */
  cooldown: withDefault(duration({ minimum: 1, maximum: '1h' }), '30s'),
  /** While the issuer cannot be reached its last keys are good for this long. Default 24h. */
  keepKeysFor: withDefault(duration({ minimum: '1m', maximum: '365d' }), '24h'),
  /** How far its clock may be off, either way. Default 5s. */
  leeway: withDefault(duration({ maximum: '5m' }), '5s'),
  /** Tokens are refused this long after `iat`, which they then have to have. Default: only `exp` counts. */
  maxAge: optional(duration({ minimum: '1s', maximum: '3650d' })),
  /** What the `typ` header has to say, without "application/": `at+jwt` (RFC 9068). Default: anything. */
  typ: optional(text({ pattern: '^[!-~]+$' })),
  /** Claims that have to be there besides `iss`, `aud`, `exp` and the subject. Default none. */
  requiredClaims: withDefault(list(text({ minLength: 1 })), []),
  /** The claim that says who it is. Default `sub`. */
  subject: withDefault(claimPath, 'sub'),
  /** The claim with the caller's roles: a list, or text with blanks between them. Default `roles`. */
  roles: withDefault(claimPath, 'roles'),
  /** The claim that names a consumer of this config. Default: none, callers are no consumers. */
  consumer: optional(claimPath),
  /** The only consumers that it may name. Default: all of the config. */
  consumers: optional(list(text({ minLength: 1 }))),
})

export const jwt = object({
  /** Whose tokens are believed. */
  issuers: nonEmptyList(issuer, { noun: 'issuer' }),
  /** Where a token is brought besides `Authorization: Bearer`. */
  from: section({
    /** A header that holds the bare token. Default none. */
    header: optional(
      text({ pattern: '^[a-z0-9-]+$', remedy: 'write a name in lower case like "x-access-token"' }),
    ),
    /** A cookie that holds it. Default none. Mind that browsers send cookies with forged requests too. */
    cookie: optional(text({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" })),
  }),
  /** Longest token. Default 8KiB. */
  tokenLimit: withDefault(size({ minimum: 256, maximum: '64KiB' }), '8KiB'),
  /** Tokens that were verified, so that the next request with the same one costs less. */
  cache: section({
    /** How many; 0 is none. Default 10000. */
    max: withDefault(integer({ minimum: 0, maximum: 1_000_000 }), 10_000),
    /** A token is verified anew after this. Default 5m. */
    maxAge: withDefault(duration({ maximum: '1d' }), '5m'),
  }),
  /** Tokens that are refused before their time, by `POST /auth/revocations` on the admin listener. */
  revocations: section({
    /** How many; a further one is refused. Default 100000. */
    max: withDefault(integer({ minimum: 1, maximum: 10_000_000 }), 100_000),
    /** Where the list is: shared by the gateways, or in each of them its own. Default: `redis` if there is one, else `local`. */
    store: optional(oneOf(['local', 'redis'])),
    /** Where they share it, they look for news this often. Default 1s. */
    refresh: withDefault(duration({ minimum: '50ms', maximum: '1h' }), '1s'),
    /**
     * Without word from Redis for this long tokens get 503, for they cannot be told good from revoked any more; so they
     * do in a gateway that has had none yet, which is not ready either. 0 is never: then what is known here is what
     * counts. Default 1h.
     */
    staleAfter: withDefault(duration({ maximum: '30d' }), '1h'),
  }),
})

export type JwtOptions = Resolved<typeof jwt>
export type IssuerOptions = JwtOptions['issuers'][number]

declare module '../authenticator.ts' {
  interface AuthenticatorKinds {
    jwt: JwtOptions
  }
}
