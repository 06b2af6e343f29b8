/** The dashboard of routes: all, or those that are chosen. */
import { line } from './build.ts'
import type { Facts } from './facts.ts'
import type { Limits } from './limits.ts'
import type { Panel, Section } from './panel.ts'
import { errorShare, quantile, rate, sum } from './promql.ts'

const REQUESTS = 'holdfast_requests_total'
const DURATION = 'holdfast_request_duration_seconds'
const CHOSEN = 'route=~"$route"'

export function routes(facts: Facts, limits: Limits): Section[] {
  const lines = (shown: Parameters<Limits['lines']>[0]) => limits.lines(shown, 'route', `${DURATION}_count`)
  const traffic = [
    line('Requests', 'By route.', 'reqps', [
      { expr: sum(rate(REQUESTS, CHOSEN), 'route'), legend: '{{route}}' },
      ...lines('rate'),
    ]),
    line(
      'Results',
      'Status classes; aborted: the client left; cut: the target broke off; none: no answer.',
      'reqps',
      [{ expr: `${sum(rate(REQUESTS, CHOSEN), 'result')} > 0`, legend: '{{result}}' }],
      { stacked: true },
    ),
    line('Errors', 'Share of requests answered with 5xx, or not at all, or not whole.', 'percentunit', [
      { expr: errorShare(REQUESTS, ['route'], CHOSEN), legend: '{{route}}' },
      ...lines('errors'),
    ]),
    line('Refusals and failures', 'What the gateway answered with an error of its own.', 'reqps', [
      { expr: sum(rate('holdfast_errors_total', CHOSEN), 'route', 'code'), legend: '{{route}} {{code}}' },
    ]),
  ]
  const limited = facts.limits
    ? [
        line('Rate limits', 'What limits refused, or would have refused on trial.', 'reqps', [
          {
            expr: sum(
              rate('holdfast_rate_limit_decisions_total', CHOSEN, 'result!="allowed"'),
              'route',
              'limit',
              'result',
            ),
            legend: '{{route}} {{limit}} {{result}}',
          },
        ]),
      ]
    : []
  const refused = sum(rate('holdfast_alert_rate_limited_total', CHOSEN), 'route')
  const share = `${refused} / (${sum(rate(REQUESTS, CHOSEN), 'route')} > 0)`
  const over = limits.any('limited')
    ? [
        line('Over a rate limit', 'Share of requests that limits refused.', 'percentunit', [
          { expr: share, legend: '{{route}}' },
          ...lines('limited'),
        ]),
      ]
    : []
  const latency = [
    line('p50', 'Half of the requests took longer.', 's', [
      { expr: quantile(0.5, DURATION, ['route'], CHOSEN), legend: '{{route}}' },
    ]),
    line('p99', 'One in a hundred requests took longer.', 's', [
      { expr: quantile(0.99, DURATION, ['route'], CHOSEN), legend: '{{route}}' },
      ...lines('latency'),
    ]),
    {
      kind: 'heatmap',
      title: 'Latencies',
      description: 'How many requests of the chosen routes took how long.',
      unit: 'reqps',
      width: 12,
      queries: [{ expr: sum(rate(`${DURATION}_bucket`, CHOSEN), 'le'), legend: '{{le}}' }],
    } satisfies Panel,
    line('What the gateway adds', 'p99 of what was not spent waiting for targets.', 's', [
      { expr: quantile(0.99, 'holdfast_gateway_duration_seconds', ['route'], CHOSEN), legend: '{{route}}' },
    ]),
  ]
  const bytes = [
    line('Received', 'Headers included; with HTTP/2 bodies only.', 'Bps', [
      { expr: sum(rate('holdfast_request_bytes_total', CHOSEN), 'route'), legend: '{{route}}' },
    ]),
    line('Sent', 'Headers included; with HTTP/2 bodies only.', 'Bps', [
      { expr: sum(rate('holdfast_response_bytes_total', CHOSEN), 'route'), legend: '{{route}}' },
    ]),
  ]
  return [
    { title: 'Traffic', panels: [...traffic, ...limited, ...over] },
    { title: 'Latency', panels: latency },
    { title: 'Bytes', panels: bytes },
  ]
}
