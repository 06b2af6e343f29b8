/** The expressions that several dashboards need. `$job`, `$instance` and the like are filled in by Grafana. */
import { ERROR_RESULTS, LOCAL, NO_ROUTE } from '../../plugins/upstreams/measures.ts'

const GATEWAYS = ['job=~"$job"', 'instance=~"$instance"']
/** What counts as an error: the same as for alerts (docs/metrics.md). */
const ERRORS = `result=~"${ERROR_RESULTS.join('|')}"`

/** A selector of one metric. */
export function series(metric: string, ...where: readonly string[]): string {
  return `${metric}{${[...GATEWAYS, ...where].join(',')}}`
}

/** `sum by (labels) (...)`; of no labels over all there is. */
export function sum(of: string, ...labels: readonly string[]): string {
  return labels.length === 0 ? `sum(${of})` : `sum by (${labels.join(', ')}) (${of})`
}

export function max(of: string, ...labels: readonly string[]): string {
  return labels.length === 0 ? `max(${of})` : `max by (${labels.join(', ')}) (${of})`
}

export function rate(metric: string, ...where: readonly string[]): string {
  return `rate(${series(metric, ...where)}[$__rate_interval])`
}

/** How often something happened between two points of the graph. */
export function increase(metric: string, ...where: readonly string[]): string {
  return `increase(${series(metric, ...where)}[$__rate_interval])`
}

/** A share of requests that failed; without requests there is none. */
export function errorShare(metric: string, labels: readonly string[], ...where: readonly string[]): string {
  const all = sum(rate(metric, ...where), ...labels)
  // Nothing divided by nothing is no error: it is left out.
  return `${sum(rate(metric, ...where, ERRORS), ...labels)} / (${all} > 0)`
}

/** @param histogram its name without `_bucket` */
export function quantile(
  q: number,
  histogram: string,
  labels: readonly string[],
  ...where: readonly string[]
): string {
  return `histogram_quantile(${q}, ${sum(rate(`${histogram}_bucket`, ...where), 'le', ...labels)})`
}

/** Requests that a route of the config took. */
export const ROUTED = `route!~"${NO_ROUTE}|${LOCAL}"`
