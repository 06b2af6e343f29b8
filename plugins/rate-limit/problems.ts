import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { written } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import { nameOf, needsIdentity, type Rule, ruleProblem } from './rule.ts'

type Path = readonly (string | number)[]

/** What is wrong with rules that stand in one place. `path` leads to their list. */
function rulesProblems(rules: readonly Rule[], path: Path, instances: number): Problem[] {
  return rules.flatMap((rule, i) => {
    // The schema has said so.
    if (!(rule.max >= 1 && rule.per > 0)) return []
    const message = ruleProblem(rule, instances)
    return message === undefined ? [] : [{ path: written(...path, i), message }]
  })
}

/** Limits that one request can meet, and what clients are told that they are called. */
function named(rules: readonly Rule[], kind: string, path: Path): { name: string; path: string }[] {
  return rules.map((rule, i) => ({ name: nameOf(rule, kind, i), path: written(...path, i) }))
}

/** Names that a client would be told twice, which it could not tell apart. Each is told of once. */
function nameProblems({ rateLimits, upstreams, routes }: GatewayConfig): Problem[] {
  const problems = new Map<string, Problem>()
  const compare = (limits: readonly { name: string; path: string }[]): void => {
    const places = new Map<string, string>()
    for (const { name, path } of limits) {
      const other = places.get(name)
      const message = `is named "${name}" as ${other} is, which a request may meet too; set \`name\``
      if (other === undefined) places.set(name, path)
      else problems.set(path, { path, message })
    }
  }
  const gateway = named(rateLimits.limits, 'gateway', ['rateLimits', 'limits'])
  const plans = Object.entries(rateLimits.plans).map(([plan, rules]) =>
    named(rules, 'plan', ['rateLimits', 'plans', plan]),
  )
  const before = routes.map((route, i) => [
    ...gateway,
    ...named(upstreams[route.upstream ?? '']?.rateLimit ?? [], 'upstream', [
      'upstreams',
      route.upstream ?? '',
      'rateLimit',
    ]),
    ...named(route.rateLimit ?? [], 'route', ['routes', i, 'rateLimit']),
  ])
  for (const limits of [gateway, ...before]) {
    compare(limits)
    for (const plan of plans) compare([...limits, ...plan])
  }
  return [...problems.values()]
}

/** Consumers whose plan there is not. What the auth plugin calls its own is read as far as it is there; without plans it is for others to know. */
function planProblems(config: GatewayConfig): Problem[] {
  const { plans, defaultPlan } = config.rateLimits
  const names = Object.keys(plans)
  const message = (name: string): string =>
    names.length === 0
      ? `there are no plans; add \`rateLimits.plans\` to the config`
      : `no plan is named "${name}"; ${suggestion(name, names)}`
  const problems: Problem[] = []
  if (defaultPlan !== undefined && !Object.hasOwn(plans, defaultPlan)) {
    problems.push({ path: 'rateLimits.defaultPlan', message: message(defaultPlan) })
  }
  if (names.length === 0) return problems
  const { consumers = {} } = config as { consumers?: Readonly<Record<string, { plan?: string }>> }
  for (const [name, { plan }] of Object.entries(consumers)) {
    if (plan === undefined || Object.hasOwn(plans, plan)) continue
    problems.push({ path: written('consumers', name, 'plan'), message: message(plan) })
  }
  return problems
}

function routeProblems(config: GatewayConfig): Problem[] {
  const { instances } = config.rateLimits
  return config.routes.flatMap((route, i) => {
    const rules = route.rateLimit ?? []
    const problems = rulesProblems(rules, ['routes', i, 'rateLimit'], instances)
    const authenticated = (route as { auth?: unknown }).auth !== undefined
    if (!authenticated) {
      for (const [k, rule] of rules.entries()) {
        if (!needsIdentity(rule)) continue
        const message =
          'needs to know who a request comes from, and nobody is asked; give the route an `auth`, or limit by address'
        problems.push({ path: written('routes', i, 'rateLimit', k), message })
      }
    }
    const limited = Object.keys(route.split ?? {}).filter(
      (name) => config.upstreams[name]?.rateLimit !== undefined,
    )
    if (limited.length > 0) {
      const message = `"${limited[0]}" has a \`rateLimit\`, and limits are asked before it is known where a request goes; limit the routes instead`
      problems.push({ path: written('routes', i, 'split'), message })
    }
    return problems
  })
}

/** What is wrong with the limits of a config, all of it. */
export function limitProblems(config: GatewayConfig): Problem[] {
  const { store, limits, plans, instances } = config.rateLimits
  const problems = [...rulesProblems(limits, ['rateLimits', 'limits'], instances)]
  for (const [name, rules] of Object.entries(plans)) {
    problems.push(...rulesProblems(rules, ['rateLimits', 'plans', name], instances))
  }
  for (const [name, { rateLimit = [] }] of Object.entries(config.upstreams)) {
    problems.push(...rulesProblems(rateLimit, ['upstreams', name, 'rateLimit'], instances))
  }
  problems.push(...routeProblems(config), ...planProblems(config), ...nameProblems(config))
  if (store === 'redis' && (config as { redis?: unknown }).redis === undefined) {
    const message =
      'there is no Redis; add `redis: { url: process.env.REDIS_URL }` to the config, or take "local"'
    problems.push({ path: 'rateLimits.store', message })
  }
  return problems
}
