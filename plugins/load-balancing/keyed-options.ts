/** What an upstream may say of sessions, zones and subsets, whatever its policy: keys, types, defaults, cross-checks. */
import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  decimal,
  flag,
  integer,
  object,
  oneOf,
  optional,
  shorthand,
  text,
  withDefault,
} from '../config/kit.ts'
import { show, written } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import type { Duration } from '../config/typed.ts'
import { cookieClashes, cookieProblems, secretProblem, ttlProblem } from './affinity/options.ts'
import { isToken } from './hash/http-token.ts'
import { type KeySources, keySourcesProblem } from './hash/key-source.ts'
import { nextPrime } from './hash/primes.ts'
import { routeSourceProblems } from './hash/route-sources.ts'

/** A client's requests go to the target that had its first one, as a signed cookie says. Default: no sessions. */
const sessionAffinity = optional(
  object({
    /** Name of the cookie. Default holdfast-session. */
    cookie: withDefault(
      custom<string>((name) =>
        isToken(name) ? undefined : 'is no name for a cookie; use letters, digits, "-" and "_"',
      ),
      'holdfast-session',
    ),
    /**
     * Signs the cookies: at least 16 characters, from the environment. Of several the first one signs and all are
     * taken, so that one can replace another.
     */
    secret: optional(custom<string | readonly (string | undefined)[]>(secretProblem)),
    /** How long a session outlives its last requests; `session` is until the browser is closed. Default session. */
    ttl: withDefault(custom<'session' | Duration>(ttlProblem), 'session'),
    /** Default lax. */
    sameSite: withDefault(oneOf(['lax', 'strict', 'none']), 'lax'),
    /** Only over TLS. `auto`: if the request came so. Default auto. */
    secure: withDefault(
      custom<boolean | 'auto'>((value) =>
        typeof value === 'boolean' || value === 'auto' ? undefined : 'must be true, false or "auto"',
      ),
      'auto',
    ),
    /** Scripts of the page cannot read it. Default true. */
    httpOnly: withDefault(flag(), true),
    /** Default `/`. */
    path: withDefault(text({ pattern: '^/[!-:<-~]*$', remedy: 'write a path like "/"' }), '/'),
  }),
)

/** Targets in the gateway's own zone first. Default: zones make no difference. */
const zoneAware = optional(
  shorthand(
    'zone',
    object({
      /** Where this gateway stands: one of its targets' `zone`. */
      zone: text({ minLength: 1, remedy: 'write the zone of the gateway, like "eu-1a"' }),
      /**
       * Part of the own zone's targets: when fewer are eligible, traffic spills over to the other zones in proportion.
       * Default 1 / 1.4, as with tiers.
       */
      minHealthy: withDefault(decimal({ minimum: 0.01, maximum: 1 }), 1 / 1.4),
    }),
  ),
)

/** Only some of the targets are used by this gateway, others by other gateways. Default: all are. */
const subset = optional(
  shorthand(
    'size',
    object({
      /** Targets to use, at least; with weights, as many of the mean weight. */
      size: integer({ minimum: 1, maximum: 1_000_000 }),
      /**
       * Which of the gateways this is: its number from 0 on, with `of`, which spreads the load evenly; or a name, which
       * does so on average. Default: the host's name.
       */
      instance: optional(
        custom<number | string>((value) =>
          (typeof value === 'string' && value !== '') ||
          (Number.isSafeInteger(value) && (value as number) >= 0)
            ? undefined
            : `must be a whole number from 0 on, or a name, is ${show(value)}; number the gateways from 0`,
        ),
      ),
      /** How many gateways there are, where they are numbered. The same at each of them. */
      of: optional(integer({ minimum: 1, maximum: 1_000_000 })),
    }),
  ),
)

export const keyed = { sessionAffinity, zoneAware, subset }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    sessionAffinity: typeof sessionAffinity
    zoneAware: typeof zoneAware
    subset: typeof subset
  }
}

type UpstreamConfig = GatewayConfig['upstreams'][string]

/** The key that the policy of an upstream goes by; undefined if it goes by none, or what is said of it is wrong. */
export function keySourcesOf({ loadBalancing }: UpstreamConfig): KeySources | undefined {
  const { policy, on = 'client-address' } = optionsOf(loadBalancing)
  if (policy !== 'ring-hash' && policy !== 'maglev') return undefined
  return keySourcesProblem(on) === undefined ? (on as KeySources) : undefined
}

function optionsOf(loadBalancing: unknown): { policy?: unknown; on?: unknown; tableSize?: unknown } {
  return typeof loadBalancing === 'string' ? { policy: loadBalancing } : { ...(loadBalancing as object) }
}

export function keyedProblems(config: GatewayConfig): readonly Problem[] {
  const each = Object.entries(config.upstreams).flatMap(([name, upstream]) => [
    ...keyProblems(config, name, upstream),
    ...zoneProblems(name, upstream),
    ...subsetProblems(name, upstream),
    ...cookieProblems(name, upstream.sessionAffinity),
  ])
  return [...each, ...cookieClashes(config)]
}

function keyProblems(config: GatewayConfig, name: string, upstream: UpstreamConfig): Problem[] {
  const path = written('upstreams', name, 'loadBalancing')
  const problems: Problem[] = []
  const on = keySourcesOf(upstream)
  if (on !== undefined) problems.push(...routeSourceProblems(config, name, on, `${path}.on`))
  const { policy, tableSize = 65_537 } = optionsOf(upstream.loadBalancing)
  const { length } = upstream.targets
  if (policy === 'maglev' && typeof tableSize === 'number' && tableSize >= 2 && tableSize < length) {
    const message = `${tableSize} entries are too few for ${length} targets; write ${nextPrime(100 * length)}`
    problems.push({ path: `${path}.tableSize`, message })
  }
  return problems
}

function zoneProblems(name: string, { zoneAware, targets }: UpstreamConfig): Problem[] {
  if (zoneAware === undefined) return []
  const zones = new Set(targets.map(({ zone }) => zone).filter((zone) => zone !== ''))
  if (zones.has(zoneAware.zone)) return []
  const path = written('upstreams', name, 'zoneAware', 'zone')
  const message =
    zones.size === 0
      ? 'no target says where it stands; give each its `zone`'
      : `no target is in zone "${zoneAware.zone}"; ${suggestion(zoneAware.zone, zones)}`
  return [{ path, message }]
}

function subsetProblems(name: string, { subset }: UpstreamConfig): Problem[] {
  if (subset === undefined) return []
  const { instance, of } = subset
  const problem = (key: string, message: string): Problem[] => [
    { path: written('upstreams', name, 'subset', key), message },
  ]
  if (of === undefined)
    return typeof instance === 'number'
      ? problem('of', 'is required with a number as `instance`; write how many gateways there are')
      : []
  if (typeof instance !== 'number')
    return problem('instance', 'must be a number where `of` is set; number the gateways from 0')
  return instance >= of ? problem('instance', `must be below ${of}, is ${instance}; count from 0`) : []
}
