import type { Labels, Rule } from '../rules/rule.ts'
import { duration } from './names.ts'
import { Printer } from './promql.ts'
import type { Yaml } from './yaml.ts'

/** Longer windows are recorded once a minute: they change slowly, and cost much. */
const LONG_MS = 3_600_000

/** Prometheus takes the labels of alerts for templates; that of a route may have any name. */
function asTheyAre(labels: Labels): Labels {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [name, value.replaceAll('{{', '{{"{{"}}')]),
  )
}

export interface ExportOptions {
  /** Milliseconds. */
  readonly evaluateEvery: number
  /** One alert over all gateways instead of one for each. */
  readonly fleet: boolean
}

/** A Prometheus rule file: what is recorded first, then the alerts, which are evaluated after it at the same instant. */
export function ruleFile(rules: readonly Rule[], { evaluateEvery, fleet }: ExportOptions): Yaml {
  const printer = new Printer(fleet)
  const alerts = rules.map((rule) => {
    const { alertname, ...labels } = rule.labels
    return {
      alert: alertname as string,
      expr: printer.expression(rule),
      ...(rule.holdFor === 0 ? {} : { for: duration(rule.holdFor) }),
      ...(rule.keepFiring === 0 ? {} : { keep_firing_for: duration(rule.keepFiring) }),
      labels: asTheyAre(labels),
      annotations: rule.annotations,
    }
  })
  const recordings = [...printer.recordings.values()].toSorted((a, b) => (a.record < b.record ? -1 : 1))
  const group = (name: string, interval: number, rules: readonly Yaml[]) =>
    rules.length === 0 ? [] : [{ name, interval: duration(interval), rules }]
  const recorded = (long: boolean): Yaml[] =>
    recordings
      .filter(({ over }) => over > LONG_MS === long)
      .map(({ record, expr, labels }) => ({ record, expr, labels }))
  return {
    groups: [
      ...group('holdfast-long-windows', Math.max(evaluateEvery, 60_000), recorded(true)),
      ...group('holdfast', evaluateEvery, [...recorded(false), ...alerts]),
    ],
  }
}
