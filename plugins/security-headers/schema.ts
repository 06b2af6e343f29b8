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
  switchable,
  text,
  withDefault,
} from '../config/kit.ts'
import { suggestion } from '../config/suggest.ts'
import type { Resolved } from '../config/typed.ts'
import { securityHeaderProblems } from './problems.ts'

/** A header's value, or `false` for none. */
const value = custom<string | false>(
  (given) =>
    given === false || (typeof given === 'string' && /^[!-~]+(?: [!-~]+)*$/.test(given))
      ? undefined
      : 'is neither printable text on one line nor false',
  { remedy: 'write the value of the header, or false to leave it out' },
)

/** One of these, or `false` for none. */
function choice<const T extends string>(values: readonly T[]) {
  return custom<T | false>(
    (given) =>
      given === false || values.includes(given as T)
        ? undefined
        : `is none of the choices; ${suggestion(String(given), values)}`,
    { remedy: 'or write false to leave it out' },
  )
}

const REFERRER = [
  ...([
    'no-referrer',
    'no-referrer-when-downgrade',
    'origin',
    'origin-when-cross-origin',
    'same-origin',
  ] as const),
  ...(['strict-origin', 'strict-origin-when-cross-origin', 'unsafe-url'] as const),
] as const

const properties = {
  /**
   * What the options below are by default: `api` for answers that are no pages, `web` for sites. Default api. The
   * table is in docs/browsers.md.
   */
  preset: withDefault(oneOf(['api', 'web']), 'api'),
  /** `Strict-Transport-Security`, over TLS only (RFC 6797, 7.2). */
  hsts: optional(
    switchable({
      /** Default 365d. */
      maxAge: withDefault(duration({ maximum: '3650d' }), '365d'),
      includeSubDomains: withDefault(flag(), false),
      /** Says that browsers may be shipped with it: hard to take back. Default false. */
      preload: withDefault(flag(), false),
    }),
  ),
  /** `X-Content-Type-Options: nosniff`. */
  noSniff: optional(flag()),
  referrerPolicy: optional(choice(REFERRER)),
  contentSecurityPolicy: optional(value),
  /** `X-Frame-Options`; `frame-ancestors` of a policy goes before it where browsers know that. */
  frameOptions: optional(choice(['DENY', 'SAMEORIGIN'])),
  permissionsPolicy: optional(value),
  /** `Cross-Origin-Opener-Policy`. */
  openerPolicy: optional(value),
  /** `Cross-Origin-Embedder-Policy`. */
  embedderPolicy: optional(value),
  /** `Cross-Origin-Resource-Policy`. */
  resourcePolicy: optional(value),
  /** Headers of answers that are taken out. Default `['server', 'x-powered-by']`. */
  remove: withDefault(
    list(text({ pattern: '^[a-z0-9-]+$', remedy: 'write the name of a header in lower case: "server"' })),
    ['server', 'x-powered-by'],
  ),
  /** Whether these go before what an upstream says itself. Default false: it knows its pages best. */
  override: withDefault(flag(), false),
}

/** Headers that make browsers careful, on every answer of the public listeners. Default: none are added. */
const securityHeaders = optional(object(properties))
/** The same for this route, in place of what holds for the gateway. `false` is none. */
const routeSecurityHeaders = optional(
  switchable({
    ...properties,
  }),
)

export type SecurityHeadersConfig = Resolved<typeof securityHeaders>

export const schema = {
  gateway: { securityHeaders: guarded(securityHeaders) },
  route: { securityHeaders: guarded(routeSecurityHeaders) },
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    securityHeaders: typeof securityHeaders
  }
  interface RouteSchema {
    securityHeaders: typeof routeSecurityHeaders
  }
}

export function check(config: GatewayConfig): readonly Problem[] {
  return securityHeaderProblems(config)
}
