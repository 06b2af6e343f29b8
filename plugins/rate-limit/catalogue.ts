import type { GatewayConfig, RouteConfig } from '../config/define.ts'
import type { Algorithm } from './algorithm.ts'
import { policyItem } from './headers.ts'
import { type Compile, costReader, keyReader } from './keys.ts'
import type { Limit } from './limit.ts'
import { algorithmOf, nameOf, needsIdentity, type Rule } from './rule.ts'

/** The limits of a route, by the moment at which they can be told. */
export interface RouteLimits {
  readonly early: readonly Limit[]
  /** Those that need to know who a request comes from. */
  readonly late: readonly Limit[]
}

/** All limits of a config. */
export interface Catalogue {
  readonly limits: readonly Limit[]
  readonly plans: ReadonlyMap<string, readonly Limit[]>
  /** For requests that no route takes. */
  readonly unrouted: readonly Limit[]
  /** @param name of the route, as the routing calls it; each asks once */
  forRoute(route: RouteConfig, name: string): RouteLimits
}

type Config = Pick<GatewayConfig, 'rateLimits' | 'upstreams'>

/** @param compile of expressions; only asked where there are some */
export function catalogueOf(config: Config, compile: Compile): Catalogue {
  const { instances } = config.rateLimits
  const limits: Limit[] = []
  const add = (rules: readonly Rule[], where: string, kind: string): Limit[] =>
    rules.map((rule, i) => {
      const name = nameOf(rule, kind, i)
      // The start has refused those that cannot be counted.
      const algorithm = algorithmOf(rule) as Algorithm
      const limit: Limit = {
        index: limits.length,
        id: `${where}/${name}`,
        name,
        rule,
        algorithm,
        part: algorithmOf(rule, instances) as Algorithm,
        policy: policyItem(name, rule.max, rule.per),
        keyOf: keyReader(rule, compile),
        costOf: costReader(rule, compile, algorithm.capacity),
      }
      limits.push(limit)
      return limit
    })

  const gateway = add(config.rateLimits.limits, 'gateway', 'gateway')
  const upstreams = new Map(
    Object.entries(config.upstreams).map(([name, { rateLimit = [] }]) => [
      name,
      add(rateLimit, `upstream ${name}`, 'upstream'),
    ]),
  )
  const plans = new Map(
    Object.entries(config.rateLimits.plans).map(([name, rules]) => [
      name,
      add(rules, `plan ${name}`, 'plan'),
    ]),
  )
  const names = new Map<string, number>()
  return {
    limits,
    plans,
    // What no route takes has no more than an address, headers and a method.
    unrouted: gateway.filter(({ rule: { by, cost } }) =>
      [by, cost].every((part) => typeof part !== 'object' && part !== 'identity' && part !== 'consumer'),
    ),
    forRoute(route, name) {
      // Two routes may go by one name, and are counted apart all the same.
      const count = (names.get(name) ?? 0) + 1
      names.set(name, count)
      const where = `route ${name}${count === 1 ? '' : `#${count}`}`
      const all = [
        ...gateway,
        ...(upstreams.get(route.upstream ?? '') ?? []),
        ...add(route.rateLimit ?? [], where, 'route'),
      ]
      return {
        early: all.filter(({ rule }) => !needsIdentity(rule)),
        late: all.filter(({ rule }) => needsIdentity(rule)),
      }
    },
  }
}
