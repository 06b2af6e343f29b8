import type { Outcome, Target } from '../../upstreams/contract.ts'
import { evidenceAgainst } from '../../upstreams/evidence.ts'
import { LatencyScale } from '../../upstreams/latency-histogram.ts'
import { SlidingLatencies } from '../../upstreams/latency-window.ts'
import { labelText } from '../exposition/page.ts'
import type { Bounds, BucketCounts } from './bounds.ts'
import { ATTEMPTS } from './upstream-series.ts'

/** Percentiles of a target are right to within 5 %: there may be ten thousand targets. */
export const TARGET_SCALE = new LatencyScale(0.05)
/** Five minutes, and the part that time is in. */
const WINDOW = { scale: TARGET_SCALE, partMs: 30_000, parts: 11 }

/** What is counted of the attempts at a target. It outlives the target for a while, so that the last ones are seen. */
export class TargetSeries {
  /** The present one of its origin; an older one may have been removed and have come back. */
  target: Target
  /** As a page has them. */
  readonly labels: string
  /** What was last announced of it, if anything was. */
  lastEvent: { readonly name: string; readonly why: string; readonly at: number } | undefined
  /** Monotonic milliseconds; undefined while the target is there. */
  goneAt: number | undefined
  /** No rendering shows it any more. */
  forgotten = false
  readonly attempts = new Float64Array(ATTEMPTS.length)
  latencyMs = 0
  latencies = 0
  readonly latency: BucketCounts | undefined
  #recent: SlidingLatencies | undefined

  /** @param durations bounds of its histogram; undefined where it has none */
  constructor(target: Target, durations: Bounds | undefined) {
    this.target = target
    this.labels = labelText(['upstream', 'target'], [target.upstream, target.origin])
    this.latency = durations?.histogram()
  }

  /** Undefined until an attempt at it came to something. */
  get recent(): SlidingLatencies | undefined {
    return this.#recent
  }

  add(result: number, outcome: Outcome, now: number): void {
    this.attempts[result] = (this.attempts[result] as number) + 1
    const milliseconds = outcome.kind === 'abandoned' ? outcome.overtakenAfterMs : outcome.latencyMs
    // One that was called off because the client left says nothing.
    if (milliseconds === undefined) return
    if (outcome.kind !== 'abandoned') {
      this.latencies++
      this.latencyMs += milliseconds
      this.latency?.add(milliseconds)
    }
    this.#recent ??= new SlidingLatencies(WINDOW, now)
    this.#recent.add(milliseconds, now, evidenceAgainst(outcome) !== undefined)
  }
}
