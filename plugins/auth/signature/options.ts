import { date } from '../../config/dates.ts'
import {
  custom,
  duration,
  integer,
  nonEmptyList,
  object,
  oneOf,
  optional,
  text,
  withDefault,
} from '../../config/kit.ts'
import { secret } from '../../config/secret.ts'
import { parseRequired } from './required.ts'

const component = custom<string>(
  (value) => (typeof value === 'string' ? parseRequired(value) : 'must be text'),
  { remedy: 'write "@method", "x-tenant" or the like' },
)

/** What a signature (RFC 9421) has to be like to be believed. */
export const signatureOptions = object({
  /**
   * What it has to cover. `@target-uri` does for `@scheme`, `@authority`, `@path` and `@query`, and `@request-target`
   * for the last two. Requests that bring a body have to cover `content-digest` too. Default `@method`, `@authority`,
   * `@path` and `@query`.
   */
  covers: withDefault(nonEmptyList(component, { noun: 'component' }), [
    '@method',
    '@authority',
    '@path',
    '@query',
  ]),
  /**
   * Whether a body has to be signed too, by way of `content-digest` (RFC 9530). `'if-covered'` leaves bodies open to
   * change that the signer does not protect. Default `'required'`.
   */
  body: withDefault(oneOf(['required', 'if-covered']), 'required'),
  /** A signature counts for so long after its `created`, and no longer than to its `expires`. Default 5m. */
  maxAge: withDefault(duration({ minimum: '1s', maximum: '1h' }), '5m'),
  /** How far the signer's clock may be off. Default 30s. */
  skew: withDefault(duration({ maximum: '5m' }), '30s'),
  /**
   * `'required'`: each signature carries a `nonce` and is taken once. `'optional'`: one without can be sent again
   * until it has expired. Nonces are kept by each process for itself. Default `'required'`.
   */
  nonce: withDefault(oneOf(['required', 'optional']), 'required'),
  /** Nonces that are kept for each key; while they are all in use, further signatures of it get 503. Default 100000. */
  nonces: withDefault(integer({ minimum: 1 }), 100_000),
  /** Only signatures with this `tag` are looked at. Default: whatever they have. */
  tag: optional(text({ minLength: 1 })),
})

/** A key that a consumer signs with. */
export const signingKey = object({
  /** The `keyid` of its signatures; its own among all consumers. */
  id: text({ minLength: 1 }),
  /** The one algorithm that it is used with. What a signature says is never asked. */
  algorithm: oneOf(['hmac-sha256', 'ed25519', 'ecdsa-p256-sha256', 'rsa-pss-sha512']),
  /** For hmac-sha256: the shared secret, at least 32 bytes, from the environment. */
  secret: optional(secret),
  /** How `secret` is written. Default `'base64'`. */
  encoding: withDefault(oneOf(['base64', 'hex', 'utf8']), 'base64'),
  /** For the others: the public key, PEM text or the path of a PEM file. */
  publicKey: optional(text({ minLength: 1 })),
  /** No longer taken from then on. Default: never. */
  expires: optional(date),
})
