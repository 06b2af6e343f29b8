import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  duration,
  flag,
  guarded,
  list,
  object,
  oneOf,
  optional,
  record,
  text,
  withDefault,
} from '../config/kit.ts'
import { secret } from '../config/secret.ts'
import { identityHeaderProblems } from './problems.ts'
import { ALGORITHMS } from './sign.ts'
import { refuseSource, type Source } from './source.ts'

const name = text({
  pattern: '^[a-z0-9-]+$',
  remedy: 'write the name of a header with lower-case letters, digits and "-": "x-consumer"',
})
const source = custom<Source>(refuseSource, {
  remedy: 'write id, kind, name, consumer, plan, scopes, roles or a path like "claims.org.id"',
})

const jwt = object({
  /** The header that it is in. Default x-identity-token. */
  header: withDefault(name, 'x-identity-token'),
  /** A secret that is shared with the upstreams, from the environment. One of `secret` and `privateKey`. */
  secret: optional(secret),
  /** PEM text of a private key, from the environment, or the path of a PEM file. */
  privateKey: optional(secret),
  /** Default: HS256 with a `secret`, RS256 with a `privateKey`. */
  algorithm: optional(oneOf(ALGORITHMS)),
  /** `kid` of the token's header: which key it is. Default none. */
  keyId: optional(text({ minLength: 1 })),
  /** `iss` of the token. */
  issuer: text({ minLength: 1 }),
  /** `aud` of the token. Default: names of the upstreams of the route. */
  audience: optional(text({ minLength: 1 })),
  /** How long it is good for. One is used for half of that, for all requests of a caller. Default 30s. */
  lifetime: withDefault(duration({ minimum: '2s', maximum: '1h' }), '30s'),
  /**
   * Claims of the caller that are told too: `['org.id']` is told as `id`, a claim whose name is a URL by all of it.
   * Default none.
   */
  claims: withDefault(list(text({ minLength: 1 })), []),
})

/** Upstreams are told who calls. Default: they are not. */
const identityHeaders = optional(
  object({
    /**
     * What is told under which name. Default `{ 'x-identity-name': 'name', 'x-identity-kind': 'kind',
     * 'x-identity-issuer': 'claims.iss', 'x-identity-consumer': 'consumer', 'x-identity-scopes': 'scopes',
     * 'x-identity-roles': 'roles' }`.
     */
    headers: withDefault(record(source), {
      'x-identity-name': 'name',
      'x-identity-kind': 'kind',
      'x-identity-issuer': 'claims.iss',
      'x-identity-consumer': 'consumer',
      'x-identity-scopes': 'scopes',
      'x-identity-roles': 'roles',
    }),
    /** A signed token besides, for upstreams that need not trust whoever reaches them. Default none. */
    jwt: optional(jwt),
  }),
)

/** Whether the upstreams of this route are told who calls. What clients say is never passed on. Default true. */
const routeIdentityHeaders = withDefault(flag(), true)

export const schema = {
  gateway: { identityHeaders: guarded(identityHeaders) },
  route: { identityHeaders: guarded(routeIdentityHeaders) },
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    identityHeaders: typeof identityHeaders
  }
  interface RouteSchema {
    identityHeaders: typeof routeIdentityHeaders
  }
}

export function check(config: GatewayConfig): readonly Problem[] {
  return identityHeaderProblems(config)
}
