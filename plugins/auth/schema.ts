import { pemProblem } from '../config/certificate.ts'
import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { custom, flag, guarded, object, optional, shorthand, text, withDefault } from '../config/kit.ts'
import type { InputObject, ResolvedObject, Schema } from '../config/typed.ts'
import { apiKeyOptions } from './api-key/options.ts'
import type { AuthenticatorKinds } from './authenticator.ts'
import { basicOptions } from './basic/options.ts'
import { consumers } from './consumers.ts'
import { introspectionOptions } from './introspection/options.ts'
import { jwt } from './jwt/options.ts'
import { jwtProblems } from './jwt/problems.ts'
import { publicKeyProblem } from './jwt/public-keys.ts'
import { mtlsOptions } from './mtls/options.ts'
import { consumerProblems } from './problems.ts'
import { signatureOptions } from './signature/options.ts'

/** The kinds of this folder. Each is there if its key is, and is demanded by the routes that accept it. */
export const kinds = {
  /** Signed tokens: JWTs as access tokens (RFC 9068). */
  jwt: optional(jwt),
  /** Keys that clients send with each request. */
  'api-key': optional(apiKeyOptions),
  /** Names and passwords (RFC 7617). */
  basic: optional(basicOptions),
  /** Client certificates. */
  mtls: optional(mtlsOptions),
  /** Bearer tokens that their issuer is asked about (RFC 7662). */
  introspection: optional(introspectionOptions),
  /** Signatures of whole requests (RFC 9421). */
  signature: optional(signatureOptions),
}

const properties = {
  /** What the challenges call this gateway to its clients (RFC 9110, 11.5). Default gateway. */
  realm: withDefault(
    text({ pattern: '^[ !#-\\[\\]-~]+$', remedy: 'write plain text without quotes and backslashes' }),
    'gateway',
  ),
  ...kinds,
}

/** Options of kinds that plugins define. */
type Others = {
  readonly [K in Exclude<keyof AuthenticatorKinds, keyof typeof kinds>]?: AuthenticatorKinds[K]
}
type Auth<T> = T & Others

/** How callers prove who they are. Nobody is asked to unless a route says so. */
const auth = withDefault(
  // A plugin's own kinds are told from slips once all plugins are there.
  object(properties, { open: true }) as Schema<
    Auth<InputObject<typeof properties>>,
    Auth<ResolvedObject<typeof properties>>
  >,
  {},
)

type Kind = keyof AuthenticatorKinds

function refuseAccept(value: unknown): string | undefined {
  const names = Array.isArray(value) ? value : [value]
  if (names.length === 0) return 'accepts nothing, so nobody could come in'
  if (!names.every((name) => typeof name === 'string')) return 'names no kind of credential'
  return new Set(names).size < names.length ? 'names a kind twice' : undefined
}

/**
 * The credentials that a request has to bring, any one of these: `'jwt'`, `['jwt', 'api-key']`. Default: none, the
 * route is open.
 */
const routeAuth = optional(
  shorthand(
    'accept',
    object({
      /** Asked in this order; the first that knows the caller decides. */
      accept: custom<Kind | readonly [Kind, ...Kind[]]>(refuseAccept, {
        remedy: 'write "jwt" or ["jwt", "api-key"]',
      }),
      /** Lets requests without any credential through; bad ones are refused all the same. Default false. */
      optional: withDefault(flag(), false),
    }),
  ),
)

/** The names in a route's `auth`, as it was written or read. */
export function acceptedKinds(
  auth: { readonly accept: string | readonly string[] } | undefined,
): readonly string[] {
  // What the schema has refused is told of already.
  return auth === undefined ? [] : [auth.accept].flat().filter((kind) => typeof kind === 'string')
}

export function check(config: GatewayConfig): readonly Problem[] {
  const { auth } = config
  const inspect = { publicKey: publicKeyProblem, pem: pemProblem }
  // The plugin `redis` may have been taken out, and its key with it.
  const redis = (config as { readonly redis?: unknown }).redis !== undefined
  return [
    ...(auth?.jwt === undefined ? [] : jwtProblems(auth.jwt, inspect, redis)),
    ...consumerProblems(config),
  ]
}

export const schema = {
  gateway: { auth: guarded(auth), consumers: guarded(consumers) },
  route: { auth: guarded(routeAuth) },
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    auth: typeof auth
    consumers: typeof consumers
  }
  interface RouteSchema {
    auth: typeof routeAuth
  }
}
