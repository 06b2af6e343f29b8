/** The dashboard of upstreams and their targets: all, or those that are chosen. */
import { line, states } from './build.ts'
import type { Facts } from './facts.ts'
import type { Limits } from './limits.ts'
import type { Panel, Query, Section } from './panel.ts'
import { errorShare, increase, max, quantile, rate, series, sum } from './promql.ts'
import { targetPanels } from './targets.ts'

const REQUESTS = 'holdfast_upstream_requests_total'
const ATTEMPTS = 'holdfast_upstream_attempts_total'
const CHOSEN = 'upstream=~"$upstream"'

const gauge = (metric: string, legend: string, ...labels: readonly string[]): Query => ({
  expr: sum(series(metric, CHOSEN), ...labels),
  legend,
})

function upstreamPanels(facts: Facts, limits: Limits): Panel[] {
  const lines = (shown: Parameters<Limits['lines']>[0]) =>
    limits.lines(shown, 'upstream', 'holdfast_upstream_targets')
  const share: Query[] = facts.alerts
    ? [
        {
          expr: `${sum(series('holdfast_upstream_eligible_targets', CHOSEN), 'upstream')} / (${sum(series('holdfast_alert_expected_targets', CHOSEN), 'upstream')} > 0)`,
          legend: '{{upstream}} usable',
        },
        {
          expr: `${sum(series('holdfast_alert_inflight', CHOSEN), 'upstream')} / (${sum(series('holdfast_alert_capacity', CHOSEN), 'upstream')} > 0)`,
          legend: '{{upstream}} in flight',
        },
        ...lines('usable-share'),
        ...lines('saturation'),
      ]
    : []
  return [
    line('Requests', 'Of clients, by upstream.', 'reqps', [
      { expr: sum(rate(REQUESTS, CHOSEN), 'upstream'), legend: '{{upstream}}' },
      ...lines('rate'),
    ]),
    line('Errors', 'Share of requests answered with 5xx, or not at all, or not whole.', 'percentunit', [
      { expr: errorShare(REQUESTS, ['upstream'], CHOSEN), legend: '{{upstream}}' },
      ...lines('errors'),
    ]),
    line('Latency of requests', 'As clients saw it: p50 and p99.', 's', [
      ...[0.5, 0.99].map((q) => ({
        expr: quantile(q, 'holdfast_upstream_request_duration_seconds', ['upstream'], CHOSEN),
        legend: `{{upstream}} p${q * 100}`,
      })),
      ...lines('latency'),
    ]),
    line(
      'Attempts by result',
      'Status classes; why attempts failed; abandoned, overtaken: called off.',
      'ops',
      [{ expr: `${sum(rate(ATTEMPTS, CHOSEN), 'result')} > 0`, legend: '{{result}}' }],
      { stacked: true },
    ),
    line('Latency of attempts', 'Until the response head: p50 and p99.', 's', [
      ...[0.5, 0.99].map((q) => ({
        expr: quantile(q, 'holdfast_upstream_attempt_duration_seconds', ['upstream'], CHOSEN),
        legend: `{{upstream}} p${q * 100}`,
      })),
    ]),
    line('Retries and hedges', 'Further attempts of requests; of hedges, whether they won.', 'ops', [
      {
        expr: sum(rate('holdfast_upstream_attempt_kinds_total', CHOSEN, 'kind!="first"'), 'upstream', 'kind'),
        legend: '{{upstream}} {{kind}}',
      },
    ]),
    ...(facts.failover
      ? [
          line('Budget left', 'Retries and hedges that could be made now.', 'short', [
            gauge('holdfast_retry_budget_left', '{{upstream}} {{budget}}', 'upstream', 'budget'),
          ]),
        ]
      : []),
    line('Targets', 'Those that a request could get now, and all that there are.', 'short', [
      gauge('holdfast_upstream_eligible_targets', '{{upstream}} usable', 'upstream'),
      gauge('holdfast_upstream_targets', '{{upstream}} in all', 'upstream'),
      ...lines('usable'),
    ]),
    ...(share.length === 0
      ? []
      : [
          line(
            'Usable and in flight',
            'Of the targets that are expected, of what they may have.',
            'percentunit',
            share,
          ),
        ]),
    line('In flight', 'Attempts under way, those that wait for a connection included.', 'short', [
      gauge('holdfast_upstream_inflight', '{{upstream}}', 'upstream'),
    ]),
    line('Events', 'Ejections, returns, checks that turn, tiers, panic, breakers.', 'short', [
      {
        expr: `${sum(increase('holdfast_upstream_events_total', CHOSEN), 'upstream', 'event')} > 0`,
        legend: '{{upstream}} {{event}}',
      },
    ]),
    states(
      'Panic',
      '1 while targets that are believed to fail are used for want of others.',
      { expr: max(series('holdfast_upstream_panic', CHOSEN), 'upstream'), legend: '{{upstream}}' },
      1,
    ),
    ...(facts.tiers
      ? [
          states('Tiers in use', '1 for a tier that is given traffic, 0 for one in reserve.', {
            expr: max(series('holdfast_upstream_tier_in_use', CHOSEN), 'upstream', 'tier'),
            legend: '{{upstream}} tier {{tier}}',
          }),
        ]
      : []),
  ]
}

export function upstreams(facts: Facts, limits: Limits): Section[] {
  return [
    { title: 'Upstreams', panels: upstreamPanels(facts, limits) },
    { title: 'Targets', panels: targetPanels(facts) },
  ]
}
