import type { Target } from '../upstreams/contract.ts'
import type { Collector } from '../upstreams/measures.ts'
import type { CheckState } from './check-state.ts'

/** What the checks of one target have come to. */
export interface CheckCounts {
  readonly state: Pick<CheckState, 'status'>
  readonly passed: number
  readonly failed: number
  /** Milliseconds that the last one took; undefined before the first. */
  readonly tookMs: number | undefined
}

/** What checks have found. */
export function checkCollectors(watched: ReadonlyMap<Target, CheckCounts>): Collector[] {
  return [
    {
      name: 'health_check_healthy',
      help: '1 if the checks of the target pass, 0 if they fail or none was made yet.',
      type: 'gauge',
      labels: ['upstream', 'target'],
      collect(add) {
        for (const [{ upstream, origin }, { state }] of watched)
          add(state.status === 'healthy' ? 1 : 0, upstream, origin)
      },
    },
    {
      name: 'health_checks_total',
      help: 'Checks made, by what they came to.',
      type: 'counter',
      labels: ['upstream', 'target', 'result'],
      collect(add) {
        for (const [{ upstream, origin }, { passed, failed }] of watched) {
          add(passed, upstream, origin, 'passed')
          add(failed, upstream, origin, 'failed')
        }
      },
    },
    {
      name: 'health_check_duration_seconds',
      help: 'How long the last check took.',
      type: 'gauge',
      labels: ['upstream', 'target'],
      collect(add) {
        for (const [{ upstream, origin }, { tookMs }] of watched)
          if (tookMs !== undefined) add(tookMs / 1000, upstream, origin)
      },
    },
  ]
}
