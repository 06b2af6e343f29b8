/** Short ways to say the usual panels. */
import type { Panel, Query, Unit } from './panel.ts'

/** What it shows, and its limits. */
type About = string | Pick<Panel, 'description' | 'thresholds'>

const described = (about: About): Pick<Panel, 'description' | 'thresholds'> =>
  typeof about === 'string' ? { description: about } : about

export function line(
  title: string,
  about: About,
  unit: Unit,
  queries: readonly Query[],
  more: Pick<Partial<Panel>, 'width' | 'stacked' | 'max'> = {},
): Panel {
  return { kind: 'timeseries', title, ...described(about), unit, min: 0, queries, ...more }
}

/** The value of now. */
export function stat(title: string, about: About, unit: Unit, expr: string): Panel {
  return { kind: 'stat', title, ...described(about), unit, queries: [{ expr, legend: title }] }
}

/** 1 or 0 over time. @param bad which of the two is red; undefined if neither is */
export function states(title: string, about: string, query: Query, bad?: 1 | 0): Panel {
  const is = bad === 1 ? 'above' : 'below'
  const thresholds = bad === undefined ? [] : [{ value: 1, is, severity: 'critical' } as const]
  return { kind: 'state-timeline', title, description: about, unit: 'short', queries: [query], thresholds }
}
