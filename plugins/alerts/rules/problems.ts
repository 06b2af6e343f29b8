import type { GatewayConfig } from '../../config/define.ts'
import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import { suggestion } from '../../config/suggest.ts'
import { isTemplate } from '../engine/alert.ts'
import { actionProblems } from './action-problems.ts'
import {
  type AlertsConfig,
  COUNTED,
  conditionsOf,
  type RuleConfig,
  routeNames,
  WINDOWED,
  windowOf,
} from './compile.ts'
import { burnWindowsOf, CONDITIONS, type ConditionName, mostOf } from './condition-options.ts'
import { OWN_LABELS, receiverProblems, type Say } from './receiver-problems.ts'

/** Conditions that are told of by the scopes named here only. */
const SCOPES: Readonly<Partial<Record<ConditionName, readonly string[]>>> = {
  rateLimited: ['route', 'gateway'],
  targets: ['upstream', 'gateway'],
  breakerOpen: ['upstream', 'gateway'],
  saturation: ['upstream', 'gateway'],
  panic: ['upstream', 'gateway'],
  certificateExpiry: ['gateway'],
}

/** What a schema cannot say of alerts. All of it at once. */
export function alertProblems(config: GatewayConfig): Problem[] {
  const { alerts } = config
  if (alerts === undefined) return []
  const problems: Problem[] = []
  const say: Say = (message, ...steps) => problems.push({ path: written('alerts', ...steps), message })
  const names = new Map<string, number>()
  for (const [i, rule] of alerts.rules.entries()) {
    const earlier = names.get(rule.name)
    if (earlier === undefined) names.set(rule.name, i)
    else say(`rules[${earlier}] has this name too; give each its own`, 'rules', i, 'name')
    ruleProblems(rule, alerts, config, (message, ...steps) => say(message, 'rules', i, ...steps))
  }
  receiverProblems(alerts, say)
  return [...problems, ...actionProblems(config)]
}

function ruleProblems(rule: RuleConfig, alerts: AlertsConfig, config: GatewayConfig, say: Say): void {
  if (rule.route !== undefined && rule.upstream !== undefined)
    say('is about a route and an upstream; take one of them out, or write two rules', 'upstream')
  const routes = routeNames(config)
  if (rule.route !== undefined && !routes.includes(rule.route))
    say(`no route is named "${rule.route}"; ${suggestion(rule.route, routes)}`, 'route')
  for (const name of OWN_LABELS)
    if (name in rule.labels) say('is set by the rule itself; take another name', 'labels', name)
  if ('instance' in rule.labels)
    say('says which gateway it is; take it out, and set `alerts.instance`', 'labels', 'instance')
  for (const name of Object.keys(rule.labels))
    if (name === 'job' || name.startsWith('__'))
      say("is a label of Prometheus' own; take another name", 'labels', name)
  for (const [name, value] of Object.entries(rule.labels))
    if (/\{\{|\}\}/.test(value)) say('is text as it is; take out the double braces', 'labels', name)
  for (const [name, text] of Object.entries({ ...rule.annotations, summary: rule.summary ?? '' })) {
    if (isTemplate(text)) continue
    const steps = name === 'summary' ? ['summary'] : ['annotations', name]
    say('what can stand in double braces is $value, $value | humanizePercentage and $labels.<name>', ...steps)
  }
  const [condition, ...more] = conditionsOf(rule)
  if (condition === undefined) {
    say(`says not what it looks for; give it one of ${CONDITIONS.join(', ')}`)
    return
  }
  if (more.length > 0)
    say(`has ${more.length + 1} conditions (${[condition, ...more].join(', ')}); write a rule for each`)
  const scope = rule.route !== undefined ? 'route' : rule.upstream !== undefined ? 'upstream' : 'gateway'
  const scopes = SCOPES[condition]
  if (scopes !== undefined && !scopes.includes(scope)) {
    const wanted = scopes.includes('upstream')
      ? '; name an upstream instead, or take it out'
      : '; take it out'
    say(`${condition} is not known of a single ${scope}${wanted}`, scope)
  }
  if (condition === 'breakerOpen') {
    const all =
      rule.upstream === undefined ? Object.values(config.upstreams) : [config.upstreams[rule.upstream]]
    const enabled = (upstream: unknown) =>
      (upstream as { circuitBreaker?: { enabled: boolean } })?.circuitBreaker?.enabled === true
    if (!all.some(enabled))
      say(
        'there is no circuit breaker; give the upstream a `circuitBreaker`, or take the rule out',
        'breakerOpen',
      )
  }
  if (condition === 'certificateExpiry') {
    const { listeners = [] } = config as {
      readonly listeners?: readonly { readonly tls?: { readonly cert?: string } }[]
    }
    const shown = [config.server, ...listeners, ...Object.values(config.upstreams)]
    if (shown.every(({ tls }) => tls?.cert === undefined))
      say('the gateway has no certificate; give a listener `tls`, or take the rule out', 'certificateExpiry')
  }
  windowProblems(rule, condition, alerts.evaluateEvery, say)
  limitProblems(rule, say)
}

function windowProblems(rule: RuleConfig, condition: ConditionName, every: number, say: Say): void {
  const tooShort = (ms: number, ...steps: (string | number)[]): void => {
    if (ms < 2 * every)
      say(
        `is shorter than two evaluations (evaluateEvery is ${every} ms); write at least ${2 * every} ms`,
        ...steps,
      )
  }
  if (WINDOWED.includes(condition)) tooShort(windowOf(rule), 'over')
  else if (rule.over !== undefined) say(`says nothing to ${condition}; take it out`, 'over')
  if (rule.atLeast !== undefined && !COUNTED.includes(condition))
    say(`says nothing to ${condition}; take it out`, 'atLeast')
  if (rule.burnRate !== undefined && rule.burnRate.windows === undefined) {
    const shortest = Math.min(...burnWindowsOf(rule.burnRate).map(({ short }) => short))
    if (shortest < 2 * every)
      say(
        `looks at windows of ${shortest} ms by default, which is shorter than two evaluations (evaluateEvery is ${every} ms); evaluate more often, or write \`windows\``,
        'burnRate',
      )
  }
  for (const [i, { long, short, factor }] of (rule.burnRate?.windows ?? []).entries()) {
    tooShort(short, 'burnRate', 'windows', i, 'short')
    if (short >= long)
      say('is not shorter than `long`; the workbook takes a twelfth', 'burnRate', 'windows', i, 'short')
    const most = mostOf(rule.burnRate?.objective ?? 0)
    if (factor >= most)
      say(
        `can never be reached: with this objective, all requests failing is ${Number(most.toPrecision(4))}; lower it`,
        'burnRate',
        'windows',
        i,
        'factor',
      )
  }
}

function limitProblems(
  { latency, throughput, errorRate, rateLimited, saturation }: RuleConfig,
  say: Say,
): void {
  if (throughput !== undefined) {
    const { above, below, resolveBelow, resolveAbove } = throughput
    if (above === undefined && below === undefined) say('needs `above`, `below` or both', 'throughput')
    if (above !== undefined && below !== undefined && below >= above)
      say(`is not lower than \`above\` (${above}): it would always fire; lower it`, 'throughput', 'below')
    if (below === 0) say('nothing is below 0 requests per second; raise it', 'throughput', 'below')
    if (resolveBelow !== undefined && above === undefined)
      say('says nothing without `above`; take it out', 'throughput', 'resolveBelow')
    if (resolveAbove !== undefined && below === undefined)
      say('says nothing without `below`; take it out', 'throughput', 'resolveAbove')
    else if (resolveAbove !== undefined && resolveAbove < (below as number))
      say(
        `is lower than \`below\` (${below}), where it begins to fire; raise it`,
        'throughput',
        'resolveAbove',
      )
  }
  const upper = {
    latency: latency && { bar: latency.above, resolveBelow: latency.resolveBelow },
    throughput: throughput && { bar: throughput.above, resolveBelow: throughput.resolveBelow },
    errorRate: errorRate && { bar: errorRate.above, resolveBelow: errorRate.resolveBelow },
    rateLimited: rateLimited && { bar: rateLimited.above, resolveBelow: rateLimited.resolveBelow },
    saturation: saturation && { bar: saturation.inflightAbove, resolveBelow: saturation.resolveBelow },
  }
  for (const [name, limits] of Object.entries(upper)) {
    if (limits?.bar === undefined || limits.resolveBelow === undefined) continue
    if (limits.resolveBelow > limits.bar)
      say(`is higher than ${limits.bar}, where it begins to fire; lower it`, name, 'resolveBelow')
  }
}
