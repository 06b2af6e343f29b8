import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  duration,
  flag,
  guarded,
  integer,
  list,
  object,
  oneOf,
  oneOrMore,
  optional,
  record,
  section,
  text,
  withDefault,
} from '../config/kit.ts'
import { addressOrRange } from '../config/schema.ts'
import { limitProblems } from './problems.ts'
import type { By, Expression } from './rule.ts'

const LARGEST = 1_000_000_000

function isExpression(value: unknown): boolean {
  const { expression } = (value ?? {}) as { expression?: unknown }
  return typeof expression === 'string' && expression !== '' && Object.keys(value as object).length === 1
}

function refuseBy(value: unknown): string | undefined {
  if (['address', 'identity', 'consumer', 'all'].includes(value as string) || isExpression(value))
    return undefined
  if (typeof value === 'string' && /^header:[\w!#$%&'*+.^`|~-]+$/.test(value)) return undefined
  return 'is nothing that requests can be told apart by'
}

function refuseCost(value: unknown): string | undefined {
  if (isExpression(value)) return undefined
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LARGEST
    ? undefined
    : 'is no cost'
}

const limit = (by: By) =>
  object({
    /** What headers, logs and metrics call it. Default: where it stands, `route`, and a number from the second on. */
    name: optional(
      text({ pattern: '^[A-Za-z0-9_.-]{1,64}$', remedy: 'use letters, digits, "-", "_" and "."' }),
    ),
    /** So much in each `per`. */
    max: integer({ minimum: 1, maximum: LARGEST }),
    /** Up to 366 days; it slides, so there is no first of the month at which all begins anew. */
    per: duration({ minimum: '1ms', maximum: '366d' }),
    /** So much may come at once after a silence. Default: `max`. */
    burst: optional(integer({ minimum: 1, maximum: LARGEST })),
    /**
     * Each is counted for itself: a client's `'address'`, an `'identity'`, a `'consumer'` (or the identity, if it
     * belongs to none), the value of a header (`'header:x-tenant'`), the value of an expression; or `'all'` together.
     * Who lacks it is told by the address. Default: address; in a plan, consumer.
     */
    by: withDefault(
      custom<By>(refuseBy, {
        remedy:
          "write 'address', 'identity', 'consumer', 'header:x-tenant', 'all' or { expression: 'request.host' }",
      }),
      by,
    ),
    /** How much of it a request takes: a whole number, or the value of an expression; all of it if that has none. Default 1. */
    cost: withDefault(
      custom<number | Expression>(refuseCost, { remedy: "write a whole number or { expression: '...' }" }),
      1,
    ),
    /** `gcra` is even over time; `sliding-window` never lets more than `max` through in any `per`. Default gcra. */
    algorithm: withDefault(oneOf(['gcra', 'sliding-window']), 'gcra'),
    /** Counts and logs what it would refuse, and lets it through. Default false. */
    dryRun: withDefault(flag(), false),
    /** Bits of an IPv6 address that make a client. Default 64. */
    ipv6Prefix: withDefault(integer({ minimum: 1, maximum: 128 }), 64),
  })

/** One limit or several: a request has to fit into all of them. */
const rateLimit = optional(oneOrMore(limit('address'), { noun: 'limit' }))

/** What limits have in common, and those that are not of a route or an upstream. */
const rateLimits = section({
  /** Each process counts for itself, or all together in `redis`. Default: `redis` if there is one, else local. */
  store: optional(oneOf(['local', 'redis'])),
  /** For all requests of all routes together, and for those that no route takes. Default: none. */
  limits: withDefault(list(limit('address')), []),
  /** Limits by the name of the plan that an identity has, over all routes together. */
  plans: withDefault(
    record(oneOrMore(limit('consumer'), { noun: 'limit' }), { names: '^[A-Za-z0-9_.-]{1,64}$' }),
    {},
  ),
  /** The plan of identities that have none, or one that is not among `plans`. Default: the latter are refused. */
  defaultPlan: optional(text({ minLength: 1 })),
  /** Addresses and networks that no limit is for. Default: none. */
  trustedAddresses: withDefault(list(addressOrRange), []),
  /** Keys that a process remembers for each limit, rounded up to a power of two. Default 131072. */
  maxKeys: withDefault(integer({ minimum: 8, maximum: 16_777_216 }), 131_072),
  /** How many gateways share the limits: without Redis each holds to its part. Default 1, which is all of it. */
  instances: withDefault(integer({ minimum: 1, maximum: 10_000 }), 1),
  /** Tells clients of their limits, in `RateLimit` and `RateLimit-Policy`. Default true. */
  headers: withDefault(flag(), true),
})

export const schema = {
  gateway: { rateLimits: guarded(rateLimits) },
  upstream: { rateLimit: guarded(rateLimit) },
  route: { rateLimit: guarded(rateLimit) },
}

export function check(config: GatewayConfig): readonly Problem[] {
  return limitProblems(config)
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    rateLimits: typeof rateLimits
  }
  interface UpstreamSchema {
    rateLimit: typeof rateLimit
  }
  interface RouteSchema {
    rateLimit: typeof rateLimit
  }
}
