/** What the gateway itself takes: of requests, and of the machine. */
import { line } from './build.ts'
import type { Facts } from './facts.ts'
import type { Limits } from './limits.ts'
import type { Panel, Query } from './panel.ts'
import { max, quantile, ROUTED, rate, series, sum } from './promql.ts'

const GATEWAY = 'holdfast_gateway_duration_seconds'

/** Of each process by itself. */
const each = (metric: string, legend: string): Query => ({
  expr: max(series(metric), 'instance'),
  legend: `{{instance}} ${legend}`,
})

export function processPanels({ certificates }: Facts, limits: Limits): Panel[] {
  const ends = `min by (place) (${series('holdfast_certificate_expiry_timestamp_seconds')})`
  return [
    line('What the gateway adds', 'What of a request was not spent waiting for targets.', 's', [
      ...[0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, GATEWAY, [], ROUTED), legend: `p${q * 100}` })),
      {
        expr: `${sum(rate(`${GATEWAY}_sum`, ROUTED))} / (${sum(rate(`${GATEWAY}_count`, ROUTED))} > 0)`,
        legend: 'mean',
      },
    ]),
    line('Event loop delay', 'The worst of the last minute.', 's', [
      each('nodejs_eventloop_lag_p99_seconds', 'p99'),
      each('nodejs_eventloop_lag_max_seconds', 'longest'),
    ]),
    line('Busy', 'The event loop, and CPU time of all threads: 1 is one core.', 'percentunit', [
      each('nodejs_eventloop_utilization_ratio', 'event loop'),
      { expr: sum(rate('process_cpu_seconds_total'), 'instance'), legend: '{{instance}} CPU' },
      {
        expr: sum(rate('nodejs_gc_duration_seconds_sum'), 'instance'),
        legend: '{{instance}} garbage collection',
      },
    ]),
    line('Memory', 'RAM, the heap in use, and bodies that are held whole.', 'bytes', [
      each('process_resident_memory_bytes', 'RAM'),
      each('nodejs_heap_size_used_bytes', 'heap'),
      each('holdfast_body_memory_bytes', 'bodies'),
    ]),
    line('Connections of clients', 'Open ones, by listener, and upgraded ones.', 'short', [
      { expr: sum(series('holdfast_connections_open'), 'listener'), legend: '{{listener}}' },
      { expr: sum(series('holdfast_tunnels_open')), legend: 'tunnels' },
    ]),
    line('File descriptors', 'Open ones (Linux).', 'short', [each('process_open_fds', 'open')]),
    ...(certificates
      ? [
          line('Certificates', limits.drawn('certificate', 'Days until they end.'), 'd', [
            { expr: `(${ends} - time()) / 86400`, legend: '{{place}}' },
          ]),
        ]
      : []),
  ]
}
