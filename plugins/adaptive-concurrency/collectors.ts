import type { Collector } from '../upstreams/measures.ts'
import type { LimitSource } from './source.ts'

/** What has been learnt of each target. */
export function limitCollectors(source: LimitSource): Collector[] {
  const labels = ['upstream', 'target']
  return [
    {
      name: 'concurrency_limit',
      help: 'Attempts that the target is given at once.',
      type: 'gauge',
      labels,
      collect(add) {
        for (const [{ upstream, origin }, { limit }] of source.limits) add(limit, upstream, origin)
      },
    },
    {
      name: 'concurrency_min_rtt_seconds',
      help: 'Latency of the target without load, as last measured; 0 until it was.',
      type: 'gauge',
      labels,
      collect(add) {
        for (const [{ upstream, origin }, { minRtt }] of source.limits) add(minRtt / 1000, upstream, origin)
      },
    },
  ]
}
