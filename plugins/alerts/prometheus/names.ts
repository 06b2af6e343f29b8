/** What plugins/metrics and this plugin call what the engine reads. */
import { ERROR_RESULTS, LOCAL, NO_ROUTE } from '../../upstreams/measures.ts'
import type { Counter, Gauge, Scope } from '../rules/rule.ts'

/** Requests that no route of the config took are no business of a rule's. */
const ROUTES = `route!~"${NO_ROUTE}|${LOCAL}"`
const ERRORS = `result=~"${ERROR_RESULTS.join('|')}"`

/** A label value between quotes. */
export const quoted = (text: string): string => JSON.stringify(text)

/** A selector of one metric. Gateways with other configs are other jobs. */
export const selected = (metric: string, job: string, ...where: readonly string[]): string =>
  `${metric}{${[`job=${quoted(job)}`, ...where].join(',')}}`

const named = (scope: Scope): string[] =>
  scope.kind === 'gateway' ? [] : [`${scope.kind}=${quoted(scope.name)}`]

/** The value of `le`, as metrics write it. */
export function bound(seconds: number): string {
  return Number.isInteger(seconds) ? `${seconds}.0` : String(seconds)
}

const prefix = ({ kind }: Scope): string => (kind === 'upstream' ? 'holdfast_upstream_' : 'holdfast_')

/** The series of a counter, and those that are to be subtracted from it: a histogram counts what was quick. */
export function seriesOf(
  job: string,
  scope: Scope,
  counter: Counter,
): { readonly all: string; readonly but?: string } {
  const of = (metric: string, ...where: string[]): string =>
    selected(metric, job, ...(scope.kind === 'gateway' ? [ROUTES] : named(scope)), ...where)
  if (counter === 'requests') return { all: of(`${prefix(scope)}requests_total`) }
  if (counter === 'errors') return { all: of(`${prefix(scope)}requests_total`, ERRORS) }
  if (counter === 'rate-limited') return { all: of('holdfast_alert_rate_limited_total') }
  const duration = `${prefix(scope)}request_duration_seconds`
  const le = bound(counter.slowerThan / 1000)
  return { all: of(`${duration}_count`), but: of(`${duration}_bucket`, `le="${le}"`) }
}

/** The series that are added up. */
const GAUGES: Readonly<Record<Gauge, readonly [string, ...string[]]>> = {
  usable: ['holdfast_alert_usable_targets'],
  expected: ['holdfast_alert_expected_targets'],
  'open-breakers': ['holdfast_circuit_breaker_open', 'holdfast_circuit_breaker_half_open'],
  // Without upgraded connections, which `holdfast_upstream_inflight` has: they take no place of a request.
  inflight: ['holdfast_alert_inflight'],
  capacity: ['holdfast_alert_capacity'],
  panic: ['holdfast_upstream_panic'],
  // Not seconds until then but the time itself, as certificates are usually shown.
  certificate: ['holdfast_certificate_expiry_timestamp_seconds'],
}

export function gaugeSeries(job: string, scope: Scope, gauge: Gauge): readonly [string, ...string[]] {
  const [first, ...others] = GAUGES[gauge]
  const of = (metric: string): string => selected(metric, job, ...named(scope))
  return [of(first), ...others.map(of)]
}

/** How long the gateway has counted without a break. */
export const watchedSeries = (job: string): string => selected('holdfast_alert_watched_seconds', job)

/** What one requests' share is called in a recorded series. */
export function recordedName(counter: Counter): string {
  if (typeof counter === 'object')
    return `requests_slower_than_${String(counter.slowerThan).replace('.', '_')}ms`
  return counter.replace('-', '_')
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const

/** `90000` is `90s`: in the largest unit that leaves it whole. */
export function duration(milliseconds: number): string {
  const whole = Math.round(milliseconds)
  const [size, unit] = UNITS.find(([size]) => whole >= size && whole % size === 0) ?? ([1, 'ms'] as const)
  return `${whole / size}${unit}`
}
