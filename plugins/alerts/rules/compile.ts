/** Rules of the config as both the engine and Prometheus evaluate them. */
import type { GatewayConfig } from '../../config/define.ts'
import { burnWindowsOf, CONDITIONS, type ConditionName, type Conditions } from './condition-options.ts'
import { percentOf } from './refuse.ts'
import type { Action, Condition, Counter, Gauge, Labels, Rule, Scope, Term, Test } from './rule.ts'

export type AlertsConfig = NonNullable<GatewayConfig['alerts']>
export type RuleConfig = AlertsConfig['rules'][number]

const OVER_MS = 60_000
const AT_LEAST = 20

/** Conditions that look at a window, and those that want a number of requests in it. */
export const WINDOWED: readonly ConditionName[] = ['latency', 'throughput', 'errorRate', 'rateLimited']
export const COUNTED: readonly ConditionName[] = ['latency', 'errorRate', 'rateLimited', 'burnRate']

export const windowOf = ({ over }: Pick<RuleConfig, 'over'>): number => over ?? OVER_MS

export const conditionsOf = (rule: RuleConfig): readonly ConditionName[] =>
  CONDITIONS.filter((name) => rule[name] !== undefined)

export function scopeOf({ route, upstream }: { route?: string; upstream?: string }): Scope {
  if (route !== undefined) return { kind: 'route', name: route }
  return upstream === undefined ? { kind: 'gateway' } : { kind: 'upstream', name: upstream }
}

/** As routing names them: what it is called, or its host and path. */
export function routeNames({ routes }: GatewayConfig): string[] {
  return routes.map(({ name, host, path }) => name ?? `${host ?? ''}${path}`)
}

/** What it takes to fire, and what it takes to go on. */
interface Bars {
  readonly starts: Condition
  readonly stays?: Condition
  /** For people. */
  readonly summary: string
}

const above = (term: Term, limit: number): Test => ({ term, is: 'above', limit })
const below = (term: Term, limit: number): Test => ({ term, is: 'below', limit })
const gauge = (of: Gauge): Term => ({ kind: 'gauge', of })
const percent = (share: number): string => `${Number((share * 100).toPrecision(6))} %`

function bars(condition: ConditionName, rule: RuleConfig): Bars {
  const over = windowOf(rule)
  const atLeast = rule.atLeast ?? AT_LEAST
  const share = (part: Counter): Term => ({ kind: 'share', part, over, atLeast })
  const given = <K extends ConditionName>(name: K) => rule[name] as NonNullable<Conditions[K]>
  switch (condition) {
    case 'latency': {
      const { quantile, above: limit, resolveBelow } = given('latency')
      // 1 - 0.99 is 0.010000000000000009: a limit is told to people and to Prometheus.
      const slow = Number((1 - quantile).toPrecision(12))
      const slower = (ms: number): Condition => [[above(share({ slowerThan: ms }), slow)]]
      return {
        starts: slower(limit),
        ...(resolveBelow === undefined ? {} : { stays: slower(resolveBelow) }),
        summary: `more than ${percent(slow)} of the requests took longer than ${limit} ms`,
      }
    }
    case 'throughput': {
      const { above: most, below: least, resolveBelow, resolveAbove } = given('throughput')
      const term: Term = { kind: 'rate', of: 'requests', over }
      const rows = (high?: number, low?: number): Condition => [
        ...(high === undefined ? [] : [[above(term, high)]]),
        ...(low === undefined ? [] : [[below(term, low)]]),
      ]
      const limits = [
        ...(most === undefined ? [] : [`more than ${most}`]),
        ...(least === undefined ? [] : [`fewer than ${least}`]),
      ]
      return {
        starts: rows(most, least),
        ...(resolveBelow === undefined && resolveAbove === undefined
          ? {}
          : { stays: rows(resolveBelow ?? most, resolveAbove ?? least) }),
        summary: `${limits.join(' or ')} requests per second`,
      }
    }
    case 'errorRate':
      return shareBars(given('errorRate'), share('errors'), 'of the requests failed')
    case 'rateLimited':
      return shareBars(given('rateLimited'), share('rate-limited'), 'of the requests were over a rate limit')
    case 'burnRate': {
      const { objective, slowerThan } = given('burnRate')
      const part: Counter = slowerThan === undefined ? 'errors' : { slowerThan }
      const budget = 1 - objective
      const starts = burnWindowsOf(given('burnRate')).map(({ long, short, factor }) =>
        [long, short].map((window) =>
          above({ kind: 'share', part, over: window, atLeast }, Number((factor * budget).toPrecision(12))),
        ),
      )
      return {
        starts,
        summary: `the error budget of an objective of ${percent(objective)} is spent too fast`,
      }
    }
    case 'targets': {
      const { eligibleBelow } = given('targets')
      const part = percentOf(eligibleBelow)
      const test =
        part === undefined
          ? below(gauge('usable'), eligibleBelow as number)
          : below({ kind: 'part', of: 'usable', whole: 'expected' }, part)
      return { starts: [[test]], summary: `fewer than ${eligibleBelow} of the targets can be used` }
    }
    case 'breakerOpen':
      return { starts: [[above(gauge('open-breakers'), 0)]], summary: 'a circuit breaker is open' }
    case 'saturation': {
      const { inflightAbove, resolveBelow } = given('saturation')
      const term: Term = { kind: 'part', of: 'inflight', whole: 'capacity' }
      const what = 'of what the targets may have under way is under way'
      return shareBars({ above: inflightAbove, resolveBelow }, term, what)
    }
    case 'certificateExpiry': {
      const { within } = given('certificateExpiry')
      const days = Number((within / 86_400_000).toPrecision(3))
      return {
        starts: [[below(gauge('certificate'), within / 1000)]],
        summary: `a certificate of the gateway expires within ${days} days`,
      }
    }
    case 'panic':
      return {
        starts: [[above(gauge('panic'), 0)]],
        summary: 'so few targets are left that health is set aside',
      }
  }
}

function shareBars(
  { above: limit, resolveBelow }: { above: number; resolveBelow?: number | undefined },
  term: Term,
  what: string,
): Bars {
  return {
    starts: [[above(term, limit)]],
    ...(resolveBelow === undefined ? {} : { stays: [[above(term, resolveBelow)]] }),
    summary: `more than ${percent(limit)} ${what}`,
  }
}

export function actionOf({ action }: RuleConfig): Action | undefined {
  if (action?.drain !== undefined) return { kind: 'drain', ...action.drain }
  if (action?.setSplit !== undefined) return { kind: 'split', ...action.setSplit }
  return action?.shed === undefined
    ? undefined
    : { kind: 'shed', scope: scopeOf(action.shed), share: action.shed.share }
}

function ruleOf(rule: RuleConfig, { starts, stays, summary }: Bars, severity: string, action?: Action): Rule {
  const scope = scopeOf(rule)
  // The name is filled in later: as a part of the text it might be read as a template itself.
  const where = scope.kind === 'gateway' ? 'the gateway' : `${scope.kind} {{ $labels.${scope.kind} }}`
  const labels: Labels = {
    ...rule.labels,
    alertname: rule.name,
    severity,
    ...(scope.kind === 'gateway' ? {} : { [scope.kind]: scope.name }),
  }
  return {
    name: rule.name,
    severity,
    scope,
    condition: starts,
    staysWhile: stays ?? starts,
    holdFor: rule.for,
    keepFiring: rule.keepFiring,
    labels,
    annotations: { ...rule.annotations, summary: rule.summary ?? `${where}: ${summary}` },
    action,
  }
}

/** One rule each; of burn rates one for each severity that their windows have. */
export function compileRules(rules: readonly RuleConfig[]): Rule[] {
  return rules.flatMap((rule) => {
    const [condition] = conditionsOf(rule)
    if (condition === undefined) return []
    const all = bars(condition, rule)
    const action = actionOf(rule)
    if (condition !== 'burnRate') return ruleOf(rule, all, rule.severity, action)
    const windows = burnWindowsOf(rule.burnRate as NonNullable<RuleConfig['burnRate']>)
    const severities = windows.map(({ severity }) => severity ?? rule.severity)
    return [...new Set(severities)].map((severity, i) => {
      const starts = all.starts.filter((_row, row) => severities[row] === severity)
      // One action, of the first severity.
      return ruleOf(rule, { ...all, starts }, severity, i === 0 ? action : undefined)
    })
  })
}

/** Thresholds of latency that are to be counted exactly, in milliseconds. */
export function thresholdsOf(rules: readonly Rule[]): number[] {
  const found = new Set<number>()
  for (const { condition, staysWhile } of rules) {
    for (const row of [...condition, ...staysWhile]) {
      for (const { term } of row) {
        if (term.kind === 'share' && typeof term.part === 'object') found.add(term.part.slowerThan)
      }
    }
  }
  return [...found]
}
