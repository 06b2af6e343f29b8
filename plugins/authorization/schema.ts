import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  guarded,
  nonEmptyList,
  object,
  oneOf,
  optional,
  record,
  text,
  withDefault,
} from '../config/kit.ts'
import type { Resolved, Schema } from '../config/typed.ts'
import type { AuthorizerKinds } from './authorizer.ts'
import { external } from './external/options.ts'
import { authorizationProblems } from './problems.ts'

type Scalar = string | number | boolean

const scalar = custom<Scalar>((value) =>
  ['string', 'number', 'boolean'].includes(typeof value)
    ? undefined
    : 'is neither text, a number, true nor false',
)
const scope = text({
  pattern: '^[!#-\\[\\]-~]+$',
  remedy: 'write one scope without blanks and quotes: "users:read" (RFC 6749, 3.3)',
})
const role = text({ minLength: 1 })

/** All that are given have to hold. A claim that is missing or of another type never does. */
const claim = object({
  /** The claim is this value. */
  equals: optional(scalar),
  /** The claim is a list with this value in it. */
  contains: optional(scalar),
  /** The claim is one of these, or a list with one of them in it. */
  any: optional(nonEmptyList(scalar, { noun: 'value' })),
  /** The claim is a list with all of these in it. */
  all: optional(nonEmptyList(scalar, { noun: 'value' })),
})

const rules = {
  /** All of these. */
  scopes: optional(nonEmptyList(scope, { noun: 'scope' })),
  /** One of these. */
  anyScope: optional(nonEmptyList(scope, { noun: 'scope' })),
  /** One of these. */
  roles: optional(nonEmptyList(role, { noun: 'role' })),
  /** All of these. */
  allRoles: optional(nonEmptyList(role, { noun: 'role' })),
  /** By name, or by path: `'org.id'` is `id` in `org`. */
  claims: optional(record(claim)),
  /** An expression of CEL over `request` and `identity`, which has to be true. */
  when: optional(text({ minLength: 1 })),
}

const kinds = record(
  custom<unknown>(() => undefined),
  { least: 1 },
) as Schema<Partial<AuthorizerKinds>>

/** Who may pass, of those that authentication let in. All that is given has to hold. Default: everybody. */
const authorization = optional(
  object({
    ...rules,
    /** In addition, by method; HEAD goes by GET. */
    methods: optional(
      record(object(rules), { names: '^[A-Z][A-Z-]*$', remedy: 'write methods in capitals: "GET"' }),
    ),
    /** Kinds of authorizers that plugins define, by name, with their options. */
    custom: optional(kinds),
    /** A service that is asked for each request. */
    external: optional(external),
  }),
)

export type ExternalConfig = Resolved<typeof external>

/**
 * What is done with a path that an upstream may take for one of another route, which demands something else: `/ADMIN`,
 * `/admin;a`, `/%2561dmin` beside a guarded `/admin`. `pass` is for upstreams that are known to read paths to the
 * letter. Default refuse.
 */
const pathLookalikes = withDefault(oneOf(['refuse', 'pass']), 'refuse')

export const schema = { gateway: { pathLookalikes }, route: { authorization: guarded(authorization) } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    pathLookalikes: typeof pathLookalikes
  }
  interface RouteSchema {
    authorization: typeof authorization
  }
}

export function check({ routes }: GatewayConfig): readonly Problem[] {
  return authorizationProblems(routes)
}
