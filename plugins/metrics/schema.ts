import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { custom, duration, flag, nonEmptyList, section, withDefault } from '../config/kit.ts'
import { LOCAL, NO_ROUTE } from '../upstreams/measures.ts'
import { MOST_BOUNDS } from './recording/bounds.ts'

const PER_TARGET = ['counters', 'histograms', false] as const

function refusePerTarget(value: unknown): string | undefined {
  return PER_TARGET.some((choice) => choice === value)
    ? undefined
    : `${JSON.stringify(value)} is neither "counters" nor "histograms"`
}

/** What is counted, and how it is shown on the admin listener. */
const metrics = section({
  /**
   * Upper bounds of the buckets of durations, for Prometheus. Thresholds of alert rules are added to them; with those
   * there are 50 at most. Default 1ms, 2.5ms, 5ms and so on up to 1m.
   */
  buckets: withDefault(nonEmptyList(duration({ minimum: 0.01, maximum: '1h' }), { noun: 'bound' }), [
    '1ms',
    '2.5ms',
    '5ms',
    '10ms',
    '25ms',
    '50ms',
    '100ms',
    '250ms',
    '500ms',
    '1s',
    '2.5s',
    '5s',
    '10s',
    '30s',
    '60s',
  ]),
  /**
   * What is shown of each target: `counters` with the sum of its latencies, `histograms` with their buckets as well,
   * or nothing (false). Default `counters`.
   */
  perTarget: withDefault(
    custom<(typeof PER_TARGET)[number]>(refusePerTarget, { remedy: 'write one of the two, or false' }),
    'counters',
  ),
  /** Each bucket of OpenMetrics names a request that fell into it, by its recorded trace or its id. Default true. */
  exemplars: withDefault(flag(), true),
})

export const schema = { gateway: { metrics } }

export function check({ metrics, routes }: GatewayConfig): readonly Problem[] {
  const { length } = metrics.buckets
  const problems: Problem[] = []
  if (length > MOST_BOUNDS)
    problems.push({ path: 'metrics.buckets', message: `has ${length} bounds; take at most ${MOST_BOUNDS}` })
  for (const [index, { name }] of routes.entries()) {
    if (name === NO_ROUTE || name === LOCAL)
      problems.push({
        path: `routes[${index}].name`,
        message: `"${name}" stands in metrics for requests that no route took; take another name`,
      })
  }
  return problems
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    metrics: typeof metrics
  }
}
