import {
  custom,
  duration,
  integer,
  list,
  object,
  oneOf,
  optional,
  text,
  withDefault,
} from '../../config/kit.ts'
import { secret } from '../../config/secret.ts'
import { endpointProblem } from '../endpoint.ts'
import { claimPath } from '../token-claims.ts'

/** Bearer tokens that only their issuer can read: it is asked (RFC 7662). */
export const introspectionOptions = object({
  /** Address of the introspection endpoint. `http:` only on the loopback. */
  endpoint: custom<string>(endpointProblem, { remedy: 'write "https://id.example.com/introspect"' }),
  /** Who the gateway is to the issuer. */
  clientId: text({ minLength: 1 }),
  /** From the environment. */
  clientSecret: secret,
  /** How the gateway proves it: by the header or in the body. Default `'basic'`. */
  clientAuth: withDefault(oneOf(['basic', 'post']), 'basic'),
  /** Only tokens that say so in `iss` count. Default: whatever the endpoint says is active. */
  issuer: optional(text({ minLength: 1 })),
  /** Only tokens that are for one of these (`aud`) count. Default: whatever the endpoint says is active. */
  audience: optional(list(text({ minLength: 1 }))),
  /** The claim that says who it is; without it, it is the program in `client_id`. Default `sub`. */
  subject: withDefault(claimPath, 'sub'),
  /** The claim with the caller's roles: a list, or text with blanks between them. Default `roles`. */
  roles: withDefault(claimPath, 'roles'),
  /** Claim whose value is the name of a consumer: `'client_id'`. Default: callers belong to no consumer. */
  consumer: optional(claimPath),
  /** The only consumers that it may name. Default: all of the config. */
  consumers: optional(list(text({ minLength: 1 }))),
  /** The endpoint has this long to answer. Default 2s. */
  timeout: withDefault(duration({ minimum: 1, maximum: '30s' }), '2s'),
  /** Questions under way at once; requests with further tokens get 503. Default 64. */
  concurrency: withDefault(integer({ minimum: 1 }), 64),
  /**
   * An active token is not asked for again for so long, and never past its `exp`. One that is revoked is taken for
   * that long still. Default 30s.
   */
  cacheFor: withDefault(duration({ maximum: '1h' }), '30s'),
  /** One that is not active is not asked for again for so long. Default 10s. */
  negativeFor: withDefault(duration({ maximum: '5m' }), '10s'),
  /** At most so many answers are kept, of each of the two. Default 10000. */
  cacheSize: withDefault(integer({ minimum: 1 }), 10_000),
  /**
   * While the endpoint does not answer, tokens that were active are taken for so long beyond `cacheFor`, never past
   * their `exp`. 0 refuses them with 503. Default 0.
   */
  staleFor: withDefault(duration({ maximum: '1d' }), 0),
  /** After so many failures in a row the endpoint is left alone for a while, so that requests do not wait in vain. Default 3. */
  failures: withDefault(integer({ minimum: 1 }), 3),
  /** That while, up to a fifth shorter; then one question shows whether it is back. Default 5s. */
  openFor: withDefault(duration({ minimum: 1 }), '5s'),
})
