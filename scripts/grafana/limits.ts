/** Limits of the config's alert rules, as lines: the same numbers that the alerts look at. */
import type { Rule, Scope, Term, Test } from '../../plugins/alerts/rules/rule.ts'
import type { Query, Threshold } from './panel.ts'
import { series } from './promql.ts'

/** What a panel shows, so that the limits of it belong there. */
export type Shown =
  | 'rate'
  | 'errors'
  | 'latency'
  | 'limited'
  | 'usable'
  | 'usable-share'
  | 'saturation'
  | 'certificate'

interface Limit extends Threshold {
  readonly shown: Shown
  readonly rule: string
  readonly scope: Scope
  /** Of a latency: what the alert is about. */
  readonly quantile: number | undefined
}

function shownOf(term: Term): Shown | undefined {
  switch (term.kind) {
    case 'share':
      if (typeof term.part === 'object') return 'latency'
      return term.part === 'errors' ? 'errors' : term.part === 'rate-limited' ? 'limited' : undefined
    case 'rate':
      return term.of === 'requests' ? 'rate' : undefined
    case 'part':
      return term.of === 'usable' ? 'usable-share' : term.of === 'inflight' ? 'saturation' : undefined
    case 'gauge':
      return term.of === 'usable' || term.of === 'certificate' ? term.of : undefined
  }
}

/** In the unit of the panel. */
function valueIn({ term, limit }: Test): number {
  // "More than 1 % took longer than 300 ms" is a p99 above 300 ms.
  if (term.kind === 'share' && typeof term.part === 'object') return term.part.slowerThan / 1000
  return term.kind === 'gauge' && term.of === 'certificate' ? limit / 86_400 : limit
}

export class Limits {
  readonly #all: readonly Limit[]

  constructor(rules: readonly Rule[]) {
    const found = new Map<string, Limit>()
    for (const { name, severity, scope, condition } of rules) {
      for (const test of condition.flat()) {
        const shown = shownOf(test.term)
        if (shown === undefined) continue
        const quantile = shown === 'latency' ? Number((1 - test.limit).toPrecision(12)) : undefined
        const limit: Limit = {
          shown,
          rule: name,
          severity,
          scope,
          value: valueIn(test),
          is: test.is,
          quantile,
        }
        // Burn rates have a limit for two windows each.
        found.set(JSON.stringify([limit]), limit)
      }
    }
    this.#all = [...found.values()]
  }

  /** Whether there is any, of the gateway or of a part of it. */
  any(shown: Shown): boolean {
    return this.#all.some((limit) => limit.shown === shown)
  }

  /**
   * Of the whole gateway: lines, and what they are added to the panel's description.
   * @param quantile of latencies: the one that the panel shows; default: whichever the rules look at
   */
  drawn(
    shown: Shown,
    description: string,
    quantile?: number,
  ): { readonly description: string; readonly thresholds: readonly Threshold[] } {
    const limits = this.#of(shown, 'gateway').filter(
      (limit) => quantile === undefined || limit.quantile === quantile,
    )
    const told = limits.map(({ rule, is, value, severity }) => `${rule} ${is} ${value} (${severity})`)
    return {
      description: limits.length === 0 ? description : `${description} Alerts: ${told.join(', ')}.`,
      thresholds: limits.map(({ value, is, severity }) => ({ value, is, severity })),
    }
  }

  /**
   * Of single routes or upstreams. A line is there while its route or upstream is chosen.
   * @param metric any that there is for each of them
   */
  lines(shown: Shown, kind: 'route' | 'upstream', metric: string): Query[] {
    return this.#of(shown, kind).map(({ scope, value, is, rule, severity }) => {
      const { name } = scope as Extract<Scope, { name: string }>
      const chosen = series(metric, `${kind}=${JSON.stringify(name)}`, `${kind}=~"$${kind}"`)
      return {
        expr: `0 * max by (${kind}) (${chosen}) + ${value}`,
        legend: `{{${kind}}} ${is} ${value}: ${rule} (${severity})`,
        limit: true,
      }
    })
  }

  #of(shown: Shown, kind: Scope['kind']): Limit[] {
    return this.#all.filter((limit) => limit.shown === shown && limit.scope.kind === kind)
  }
}
