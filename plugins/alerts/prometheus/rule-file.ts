import type { Labels, Rule } from '../rules/rule.ts'
import { duration } from './names.ts'
import { Printer } from './promql.ts'
import type { Yaml } from './yaml.ts'

/** Longer windows are recorded once a minute: they change slowly, and cost much. */
const LONG_MS = 3_600_000

/** What Prometheus takes for a template, and is none: a route may have any name. */
const asItIs = (text: string): string => text.replace(/\{+/g, (braces) => `{{"${braces}"}}`)

const LABEL = /\{\{\s*\$labels\.(\w+)\s*\}\}/g

/** The labels of the rule itself are no `$labels` to Prometheus, which knows those of the expression only. */
const withLabels = (text: string, labels: Labels): string =>
  text.replace(LABEL, (all, name: string) => {
    const value = labels[name]
    return value === undefined ? all : asItIs(value)
  })

const each = (of: Labels, change: (text: string) => string): Labels =>
  Object.fromEntries(Object.entries(of).map(([name, text]) => [name, change(text)]))

export interface ExportOptions {
  /** Milliseconds. */
  readonly evaluateEvery: number
  /** What Prometheus calls the gateways of this config. */
  readonly job: string
  /** One alert over all of them instead of one for each. */
  readonly fleet: boolean
}

/** A Prometheus rule file: what is recorded first, then the alerts, which are evaluated after it at the same instant. */
export function ruleFile(rules: readonly Rule[], { evaluateEvery, job, fleet }: ExportOptions): Yaml {
  const printer = new Printer(job, fleet)
  const alerts = rules.map((rule) => {
    const { alertname, ...labels } = rule.labels
    return {
      alert: alertname as string,
      expr: printer.expression(rule),
      ...(rule.holdFor === 0 ? {} : { for: duration(rule.holdFor) }),
      ...(rule.keepFiring === 0 ? {} : { keep_firing_for: duration(rule.keepFiring) }),
      labels: each(labels, asItIs),
      annotations: each(rule.annotations, (text) => withLabels(text, rule.labels)),
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
