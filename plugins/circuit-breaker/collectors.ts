import type { Target } from '../upstreams/contract.ts'
import type { Collector } from '../upstreams/measures.ts'
import type { BreakerState } from './breaker.ts'

/** How breakers stand. A breaker for all of an upstream is shown for each of its targets. */
export function breakerCollectors(
  targets: () => Iterable<Target>,
  stateOf: (target: Target) => BreakerState,
): Collector[] {
  const collector = (name: string, help: string, state: BreakerState): Collector => ({
    name,
    help,
    type: 'gauge',
    labels: ['upstream', 'target'],
    collect(add) {
      for (const target of targets()) add(stateOf(target) === state ? 1 : 0, target.upstream, target.origin)
    },
  })
  return [
    collector('circuit_breaker_open', '1 while the breaker lets no request through.', 'open'),
    collector(
      'circuit_breaker_half_open',
      '1 while it lets a few through to see how they fare.',
      'half-open',
    ),
  ]
}
