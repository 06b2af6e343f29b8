import type { GatewayConfig } from '../../config/define.ts'
import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import { suggestion } from '../../config/suggest.ts'
import { actionOf, type RuleConfig, routeNames } from './compile.ts'
import { type Action, scopeKey } from './rule.ts'

/** Routes that forward: of others nothing can be split or shed. */
function forwarding(config: GatewayConfig): Set<string> {
  const names = routeNames(config)
  return new Set(
    names.filter((_name, i) => {
      const route = config.routes[i]
      return route?.upstream !== undefined || route?.split !== undefined
    }),
  )
}

/** What an action changes: two that change the same would undo each other. */
function touches(action: Action): string {
  switch (action.kind) {
    case 'drain':
      return `drain ${action.upstream} ${action.target}`
    case 'split':
      return `split ${action.route}`
    case 'shed':
      return `shed ${scopeKey(action.scope)}`
  }
}

type Shares = Readonly<Record<string, number>>

/** The part of an upstream in a split. */
function partOf(upstream: string, shares: Shares): number {
  const whole = Object.values(shares).reduce((sum, share) => sum + share, 0)
  return whole === 0 ? 0 : (shares[upstream] ?? 0) / whole
}

/** Why the action would keep its own alert firing, or undefined. */
function feedsItself(rule: RuleConfig, action: Action, config: GatewayConfig): string | undefined {
  const loop = (why: string, remedy = 'look for something else'): string =>
    `${why}: the alert would never end; ${remedy}`
  const { upstream, throughput } = rule
  const names = routeNames(config)
  const splits = config.routes.map(({ upstream, split }, i): [string, Shares] => [
    names[i] as string,
    split ?? (upstream === undefined ? {} : { [upstream]: 1 }),
  ])
  switch (action.kind) {
    case 'drain': {
      if (upstream !== undefined && upstream !== action.upstream) return undefined
      if (rule.targets !== undefined) return loop('a drained target is one less to be used')
      return rule.saturation === undefined
        ? undefined
        : loop('a drained target takes away from what the targets may have under way')
    }
    case 'shed': {
      const failures =
        rule.errorRate !== undefined ||
        (rule.burnRate !== undefined && rule.burnRate.slowerThan === undefined)
      if (failures && upstream === undefined)
        return loop(
          'what is shed is answered with 503, which counts as an error',
          'name an upstream instead of a route, or look at latency or saturation',
        )
      const { scope } = action
      const hit = splits.some(
        ([name, shares]) =>
          upstream !== undefined &&
          partOf(upstream, shares) > 0 &&
          (scope.kind === 'route'
            ? scope.name === name
            : scope.kind === 'upstream' && partOf(scope.name, shares) > 0),
      )
      return throughput?.below !== undefined && hit
        ? loop(`what is shed never comes to "${upstream}", which is too quiet already`)
        : undefined
    }
    case 'split': {
      if (upstream === undefined || throughput === undefined) return undefined
      const then = partOf(upstream, action.shares)
      const parts = splits.flatMap(([name, shares]) =>
        name === action.route ? [partOf(upstream, shares)] : [],
      )
      if (throughput.below !== undefined && parts.some((now) => then < now))
        return loop(`"${upstream}" would get fewer requests, and has too few already`)
      return throughput.above !== undefined && parts.some((now) => then > now)
        ? loop(`"${upstream}" would get more requests, and has too many already`)
        : undefined
    }
  }
}

/** Actions that cannot be done, that fight each other, or that would keep their own alert firing. */
export function actionProblems(config: GatewayConfig): Problem[] {
  const problems: Problem[] = []
  const routes = forwarding(config)
  const owners = new Map<string, number>()
  for (const [i, rule] of (config.alerts?.rules ?? []).entries()) {
    if (rule.action === undefined) continue
    const say = (message: string, ...steps: string[]): void => {
      problems.push({ path: written('alerts', 'rules', i, 'action', ...steps), message })
    }
    const given = Object.keys(rule.action)
    if (given.length !== 1) {
      const what = given.length === 0 ? 'does nothing' : `does ${given.length} things (${given.join(', ')})`
      say(`${what}; give it one of drain, setSplit and shed`)
      continue
    }
    const action = actionOf(rule) as Action
    const key = touches(action)
    const earlier = owners.get(key)
    if (earlier === undefined) owners.set(key, i)
    else say(`rules[${earlier}] does the same, and one would undo what the other did; leave it to one rule`)
    const loop = feedsItself(rule, action, config)
    if (loop !== undefined) say(loop)

    const unknownRoute = (name: string, ...steps: string[]): void => {
      if (!routes.has(name))
        say(`no route that forwards is named "${name}"; ${suggestion(name, routes)}`, ...steps)
    }
    if (action.kind === 'drain') {
      const origins = config.upstreams[action.upstream]?.targets.map(({ origin }) => origin)
      if (origins !== undefined && !origins.includes(action.target))
        say(
          `upstream "${action.upstream}" has no target "${action.target}"; ${suggestion(action.target, origins)}`,
          'drain',
          'target',
        )
      if (origins?.length === 1)
        say('is the only target of its upstream, and would never be drained', 'drain', 'target')
    } else if (action.kind === 'split') {
      unknownRoute(action.route, 'setSplit', 'route')
      if (Object.values(action.shares).every((share) => share === 0))
        say('needs a share above 0', 'setSplit', 'shares')
    } else {
      const { scope } = action
      if (rule.action.shed?.route !== undefined && rule.action.shed.upstream !== undefined)
        say('is about a route and an upstream; take one of them out', 'shed')
      else if (scope.kind === 'gateway') say('needs a route or an upstream', 'shed')
      if (scope.kind === 'route') unknownRoute(scope.name, 'shed', 'route')
    }
  }
  return problems
}
