import type { Outcome } from '../../upstreams/contract.ts'
import type { AttemptRecord } from '../../upstreams/exchange.ts'
import { SlidingLatencies } from '../../upstreams/latency-window.ts'
import type { Bounds, BucketCounts } from './bounds.ts'
import { WINDOW } from './route-series.ts'
import { TrafficCounts } from './traffic.ts'

/** What became of an attempt: a status class, why it failed, or why it was called off. */
export const ATTEMPTS = [
  'other',
  '1xx',
  '2xx',
  '3xx',
  '4xx',
  '5xx',
  'connect',
  'timeout',
  'reset',
  'protocol',
  'overflow',
  'abandoned',
  'overtaken',
] as const
const ABANDONED = ATTEMPTS.indexOf('abandoned')
const OVERTAKEN = ATTEMPTS.indexOf('overtaken')
const FAILED: Readonly<Record<string, number>> = {
  connect: ATTEMPTS.indexOf('connect'),
  timeout: ATTEMPTS.indexOf('timeout'),
  reset: ATTEMPTS.indexOf('reset'),
  protocol: ATTEMPTS.indexOf('protocol'),
  overflow: ATTEMPTS.indexOf('overflow'),
}

/** Number of the result that an outcome is. */
export function attemptResult(outcome: Outcome): number {
  switch (outcome.kind) {
    case 'answered': {
      const result = Math.floor(outcome.status / 100)
      return result >= 1 && result <= 5 ? result : 0
    }
    case 'failed':
      return FAILED[outcome.reason] ?? 0
    case 'abandoned':
      return outcome.overtakenAfterMs === undefined ? ABANDONED : OVERTAKEN
  }
}

/** Why an attempt was made; of hedges also whether theirs was the answer that the client got. */
export const KINDS = ['first', 'retry', 'hedge-won', 'hedge-lost'] as const

export function attemptKind({ kind, decision }: Pick<AttemptRecord, 'kind' | 'decision'>): number {
  if (kind === 'first') return 0
  if (kind === 'retry') return 1
  return decision === 'commit' ? 2 : 3
}

/** Names of events that a plugin makes up may be many. */
const MOST_EVENTS = 100
/** Those that are shown from the start, so that the first one is seen as a rise. */
const KNOWN_EVENTS = [
  'ejected',
  'returned',
  'unhealthy',
  'healthy',
  'spilled',
  'restored',
  'panic',
  'calm',
  'breaker-opened',
  'breaker-half-open',
  'breaker-closed',
  'name-unresolved',
  'name-resolved',
  'address-changed',
]

/** What is counted of the requests to an upstream and of the attempts that were made for them. */
export class UpstreamSeries {
  readonly name: string
  readonly traffic: TrafficCounts
  readonly attempts = new Float64Array(ATTEMPTS.length)
  readonly kinds = new Float64Array(KINDS.length)
  /** Until the response head, or the failure. */
  readonly latency: BucketCounts
  readonly events = new Map<string, number>(KNOWN_EVENTS.map((name) => [name, 0]))
  panic = false
  /** Of requests, as clients saw them. */
  readonly recent: SlidingLatencies

  /** @param now monotonic milliseconds */
  constructor(name: string, durations: Bounds, now: number) {
    this.name = name
    this.traffic = new TrafficCounts(durations.histogram())
    this.latency = durations.histogram()
    this.recent = new SlidingLatencies(WINDOW, now)
  }

  heard(event: string): void {
    if (event === 'panic' || event === 'calm') this.panic = event === 'panic'
    const known = this.events.has(event) || this.events.size < MOST_EVENTS ? event : 'other'
    this.events.set(known, (this.events.get(known) ?? 0) + 1)
  }
}
