/** The panels of targets, on the dashboard of upstreams. */
import { line, states } from './build.ts'
import type { Facts } from './facts.ts'
import type { Panel, Query } from './panel.ts'
import { max, quantile, rate, series, sum } from './promql.ts'

const CHOSEN = 'upstream=~"$upstream"'
const TARGET = ['upstream', 'target'] as const
const BY_TARGET = '{{upstream}} {{target}}'
/** Attempts that speak against a target. */
const FAILED = 'result=~"5xx|connect|timeout|reset|protocol|overflow|overtaken"'

const gauge = (metric: string, legend = BY_TARGET): Query => ({
  expr: sum(series(metric, CHOSEN), ...TARGET),
  legend,
})

const state = (metric: string): Query => ({ expr: max(series(metric, CHOSEN), ...TARGET), legend: BY_TARGET })

export function targetPanels({ perTarget, breakers, checks, adaptive }: Facts): Panel[] {
  const duration = 'holdfast_target_attempt_duration_seconds'
  const latency: Query =
    perTarget === 'histograms'
      ? { expr: quantile(0.99, duration, TARGET, CHOSEN), legend: BY_TARGET }
      : {
          expr: `${sum(rate(`${duration}_sum`, CHOSEN), ...TARGET)} / (${sum(rate(`${duration}_count`, CHOSEN), ...TARGET)} > 0)`,
          legend: BY_TARGET,
        }
  const attempts = sum(rate('holdfast_target_attempts_total', CHOSEN), ...TARGET)
  const own: Panel[] =
    perTarget === false
      ? []
      : [
          line('Attempts', 'By target.', 'ops', [{ expr: attempts, legend: BY_TARGET }]),
          line('Failed attempts', 'Share of attempts that speak against the target.', 'percentunit', [
            {
              expr: `${sum(rate('holdfast_target_attempts_total', CHOSEN, FAILED), ...TARGET)} / (${attempts} > 0)`,
              legend: BY_TARGET,
            },
          ]),
          line(
            perTarget === 'histograms' ? 'p99 of attempts' : 'Mean latency of attempts',
            'Until the response head, or the failure.',
            's',
            [latency],
          ),
          line('In flight', 'Attempts under way.', 'short', [gauge('holdfast_target_inflight')]),
          line(
            'Share',
            'Part of its usual traffic that a target is given: slow start, doubt.',
            'percentunit',
            [
              {
                expr: `min by (upstream, target) (${series('holdfast_target_share_ratio', CHOSEN)})`,
                legend: BY_TARGET,
              },
            ],
            { max: 1 },
          ),
          states('Usable', '1 if a request could get it now.', state('holdfast_target_eligible'), 0),
          states('Draining', '1 while it takes no new requests.', state('holdfast_target_draining'), 1),
        ]
  return [
    ...own,
    line('Connections', 'Open ones to targets, and requests that wait for one.', 'short', [
      gauge('holdfast_pool_connections', `${BY_TARGET} open`),
      gauge('holdfast_pool_queued_requests', `${BY_TARGET} waiting`),
    ]),
    ...(adaptive
      ? [
          line('Learnt limits', 'Attempts that a target is given at once.', 'short', [
            gauge('holdfast_concurrency_limit'),
          ]),
        ]
      : []),
    ...(checks
      ? [states('Health checks', '1 while they pass.', state('holdfast_health_check_healthy'), 0)]
      : []),
    ...(breakers
      ? [
          states(
            'Open breakers',
            '1 while no request is let through.',
            state('holdfast_circuit_breaker_open'),
            1,
          ),
          states('Half-open breakers', '1 while a few are.', state('holdfast_circuit_breaker_half_open'), 1),
        ]
      : []),
  ]
}
