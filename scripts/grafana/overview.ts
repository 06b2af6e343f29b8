/** The dashboard that is looked at first: the gateway as a whole. */
import { line, stat, states } from './build.ts'
import type { Facts } from './facts.ts'
import type { Limits } from './limits.ts'
import type { Panel, Section } from './panel.ts'
import { processPanels } from './process.ts'
import { errorShare, increase, max, quantile, ROUTED, rate, series, sum } from './promql.ts'

const REQUESTS = 'holdfast_requests_total'
const DURATION = 'holdfast_request_duration_seconds'
const ERRORS = 'Share of requests answered with 5xx, or not at all, or not whole.'

/** Of the targets that the rules count on; those are only told where there are rules. */
function usable({ alerts }: Facts, limits: Limits): Panel {
  const eligible = sum(series('holdfast_upstream_eligible_targets'))
  const title = 'Usable targets'
  if (!alerts)
    return stat(
      title,
      'Of all targets, those in reserve included.',
      'percentunit',
      `${eligible} / ${sum(series('holdfast_upstream_targets'))}`,
    )
  const expected = sum(series('holdfast_alert_expected_targets'))
  const about = limits.drawn('usable-share', 'Of the targets of the tiers in use and of those before them.')
  return stat(title, about, 'percentunit', `${eligible} / (${expected} > 0)`)
}

function now(facts: Facts, limits: Limits): Panel[] {
  const firing = stat(
    'Alerts',
    'Those that fire, silenced ones included.',
    'short',
    sum(series('holdfast_alerts_firing')),
  )
  return [
    stat(
      'Requests',
      limits.drawn('rate', 'Of all routes, per second.'),
      'reqps',
      sum(rate(REQUESTS, ROUTED)),
    ),
    stat('Errors', limits.drawn('errors', ERRORS), 'percentunit', errorShare(REQUESTS, [], ROUTED)),
    stat(
      'p99',
      limits.drawn('latency', 'One in a hundred requests took longer.', 0.99),
      's',
      quantile(0.99, DURATION, [], ROUTED),
    ),
    usable(facts, limits),
    ...(facts.alerts
      ? [{ ...firing, thresholds: [{ value: 1, is: 'above', severity: 'critical' } as const] }]
      : []),
    stat('Gateways', 'Processes that are scraped.', 'short', `count(${series('holdfast_build_info')})`),
  ]
}

function traffic(facts: Facts, limits: Limits): Panel[] {
  const refused = sum(rate('holdfast_rate_limit_decisions_total', 'result!="allowed"'), 'limit', 'result')
  const limited = `${sum(rate('holdfast_alert_rate_limited_total'))} / (${sum(rate(REQUESTS, ROUTED))} > 0)`
  return [
    line(
      'Requests by result',
      limits.drawn(
        'rate',
        'Status classes; aborted: the client left; cut: the target broke off; none: no answer.',
      ),
      'reqps',
      [{ expr: `${sum(rate(REQUESTS, ROUTED), 'result')} > 0`, legend: '{{result}}' }],
      { stacked: true },
    ),
    line('Errors', limits.drawn('errors', ERRORS), 'percentunit', [
      { expr: errorShare(REQUESTS, [], ROUTED), legend: 'errors' },
    ]),
    line(
      'Latency',
      limits.drawn('latency', 'From the request headers until the connection was done with the response.'),
      's',
      [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, DURATION, [], ROUTED), legend: `p${q * 100}` })),
    ),
    line(
      'Requests by route',
      'The ten busiest; `none`: no route took them; `local`: endpoints of the gateway itself.',
      'reqps',
      [{ expr: `topk(10, ${sum(rate(REQUESTS), 'route')})`, legend: '{{route}}' }],
    ),
    line(
      'Refusals and failures by code',
      'Requests that the gateway answered with an error of its own.',
      'reqps',
      [{ expr: sum(rate('holdfast_errors_total'), 'code'), legend: '{{code}}' }],
    ),
    line('Bytes', 'From and to clients, headers included; with HTTP/2 bodies only.', 'Bps', [
      { expr: sum(rate('holdfast_request_bytes_total')), legend: 'received' },
      { expr: sum(rate('holdfast_response_bytes_total')), legend: 'sent' },
    ]),
    ...(facts.limits
      ? [
          line('Rate limits', 'What limits refused, or would have refused on trial.', 'reqps', [
            { expr: refused, legend: '{{limit}} {{result}}' },
          ]),
        ]
      : []),
    ...(limits.any('limited')
      ? [
          line(
            'Over a rate limit',
            limits.drawn('limited', 'Share of requests that limits refused.'),
            'percentunit',
            [{ expr: limited, legend: 'refused' }],
          ),
        ]
      : []),
  ]
}

function upstreamPanels({ failover, alerts }: Facts, limits: Limits): Panel[] {
  const eligible = series('holdfast_upstream_eligible_targets')
  // Without upgraded connections: they take no place of a request.
  const inflight = series('holdfast_alert_inflight')
  const capacity = series('holdfast_alert_capacity')
  const budgets = sum(rate('holdfast_retry_budget_refusals_total'), 'budget')
  return [
    line('Usable targets', limits.drawn('usable', 'Targets that a request could get now.'), 'short', [
      { expr: sum(eligible), legend: 'all' },
      { expr: sum(eligible, 'upstream'), legend: '{{upstream}}' },
    ]),
    line('Retries and hedges', 'Further attempts; of hedges, whether the client got their answer.', 'ops', [
      {
        expr: sum(rate('holdfast_upstream_attempt_kinds_total', 'kind!="first"'), 'kind'),
        legend: '{{kind}}',
      },
      ...(failover ? [{ expr: budgets, legend: '{{budget}} not made: no budget' }] : []),
    ]),
    // What an upstream can take is only told where alerts may ask for it.
    alerts
      ? line(
          'Saturation',
          limits.drawn('saturation', 'Attempts under way, as a share of what the usable targets may have.'),
          'percentunit',
          [
            { expr: `${sum(inflight)} / (${sum(capacity)} > 0)`, legend: 'all' },
            {
              expr: `${sum(inflight, 'upstream')} / (${sum(capacity, 'upstream')} > 0)`,
              legend: '{{upstream}}',
            },
          ],
        )
      : line('In flight', 'Attempts under way, those that wait for a connection included.', 'short', [
          { expr: sum(series('holdfast_upstream_inflight'), 'upstream'), legend: '{{upstream}}' },
        ]),
    line('Events', 'Ejections, returns, checks that turn, tiers, panic, breakers.', 'short', [
      { expr: `${sum(increase('holdfast_upstream_events_total'), 'event')} > 0`, legend: '{{event}}' },
    ]),
  ]
}

function alertPanels({ notifies, acts }: Facts): Panel[] {
  const notified = sum(increase('holdfast_alert_notifications_total'), 'receiver', 'result')
  const done = sum(increase('holdfast_alert_actions_total'), 'rule', 'result')
  const told = [
    ...(notifies ? [{ expr: notified, legend: '{{receiver}} {{result}}' }] : []),
    ...(acts ? [{ expr: done, legend: '{{rule}} {{result}}' }] : []),
  ]
  return [
    states(
      'Alerts',
      '1 while it fires.',
      { expr: max(series('holdfast_alerts_firing'), 'rule', 'severity'), legend: '{{rule}} ({{severity}})' },
      1,
    ),
    ...(told.length === 0
      ? []
      : [
          line('Notifications and actions', 'How often, between two points of the graph.', 'short', told, {
            width: 12,
          }),
        ]),
  ]
}

export function overview(facts: Facts, limits: Limits): Section[] {
  return [
    { title: 'Now', panels: now(facts, limits) },
    { title: 'Traffic', panels: traffic(facts, limits) },
    { title: 'Upstreams', panels: upstreamPanels(facts, limits) },
    { title: 'Alerts', panels: facts.alerts ? alertPanels(facts) : [] },
    { title: 'The gateway', panels: processPanels(facts, limits) },
  ]
}
