import type { Outcome } from '../upstreams/contract.ts'
import type { Attempt } from '../upstreams/failover-policy.ts'
import { LatencyWindow } from './latency-window.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface HedgeOptions {
  readonly enabled: boolean
  /** A quantile of the latencies seen on the route of late, or milliseconds. */
  readonly after: { readonly quantile: number } | number
  /** Milliseconds. */
  readonly atLeast: number
}

/** Before so many latencies of the route are known, its quantile says nothing. */
const LEAST_KNOWN = 20
/** When a hedge begins until then, in milliseconds: late, but a time-out would be later. */
const UNKNOWN_MS = 1000
/** Milliseconds for which a quantile is not reckoned anew. */
const FRESH_MS = 250
/** By how much what counts as late may grow each time: twice as much takes some nine seconds. */
const GROWTH = 1.02
/** What one answer weighs in the part that is late: about the last 16 count. */
const WEIGHT = 1 / 16
/** With more than this part of the answers late, all targets are slow. */
const MOST = 0.8

/** `p95` is 0.95; undefined if it is nothing of the kind. */
export function quantileOf(value: unknown): number | undefined {
  const percent = Number(/^p(\d{1,2}(?:\.\d+)?)$/.exec(String(value))?.[1] ?? 0)
  return percent > 0 ? percent / 100 : undefined
}

/** What is known of a route. */
interface Known {
  readonly window: LatencyWindow
  /** When a hedge begins (ms), and when for an attempt that has stalled. */
  delayMs: number
  stalledMs: number
  reckonedAt: number
  /** The least that `delayMs` was of late; an answer that takes longer is late. */
  calmMs: number
  /** The part of the last answers that was late. */
  late: number
}

/**
 * Hedged requests (Dean and Barroso, "The Tail at Scale", 2013): a second attempt once the first has taken longer
 * than most do. The latencies are the route's and not a target's: a slow target must not be the measure of itself.
 *
 * One that has stalled need not wait for a quantile that a few slow requests have made long: twice the median is enough.
 * While nearly all answers are late everybody is busy, and there are no hedges but for those.
 */
export class Hedging {
  readonly #now: () => number
  readonly #optionsOf: (upstream: string) => HedgeOptions
  readonly #budgetOf: (upstream: string) => RetryBudget
  readonly #routes = new Map<string, Known>()

  /** @param now monotonic milliseconds */
  constructor(
    optionsOf: (upstream: string) => HedgeOptions,
    budgetOf: (upstream: string) => RetryBudget,
    now: () => number,
  ) {
    this.#optionsOf = optionsOf
    this.#budgetOf = budgetOf
    this.#now = now
  }

  /** Milliseconds after which another attempt may begin, or undefined for never. */
  afterMs(attempt: Attempt): number | undefined {
    const { upstream, route, repeatable, replayable, bound } = attempt
    const { enabled, after, atLeast } = this.#optionsOf(upstream)
    // Where another target has no such session, its answer is soon there and wrong.
    if (!enabled || !repeatable || !replayable || bound) return undefined
    if (typeof after === 'number') return Math.max(after, atLeast)
    const known = this.#routes.get(route)
    if (known === undefined) return Math.max(UNKNOWN_MS, atLeast)
    const now = this.#now()
    if (now - known.reckonedAt >= FRESH_MS) reckon(known, after.quantile, atLeast, now)
    return known.stalledMs < known.delayMs && attempt.stalled ? known.stalledMs : known.delayMs
  }

  may(attempt: Attempt): boolean {
    const { upstream, route } = attempt
    const late = this.#routes.get(route)?.late ?? 0
    if (late > MOST && !attempt.stalled) return false
    return this.#budgetOf(upstream).withdraw()
  }

  /** An attempt was answered; what it took is part of the measure. */
  answered({ upstream, route }: Attempt, outcome: Outcome & { kind: 'answered' }): void {
    const { enabled, after } = this.#optionsOf(upstream)
    if (!enabled || typeof after === 'number') return
    const now = this.#now()
    let known = this.#routes.get(route)
    if (known === undefined) {
      known = {
        window: new LatencyWindow(now),
        delayMs: UNKNOWN_MS,
        stalledMs: UNKNOWN_MS,
        reckonedAt: Number.NEGATIVE_INFINITY,
        calmMs: Number.POSITIVE_INFINITY,
        late: 0,
      }
      this.#routes.set(route, known)
    }
    known.window.add(outcome.latencyMs, now)
    known.late += ((outcome.latencyMs > known.calmMs ? 1 : 0) - known.late) * WEIGHT
  }
}

function reckon(known: Known, quantile: number, atLeast: number, now: number): void {
  const { window } = known
  const enough = window.size >= LEAST_KNOWN
  known.reckonedAt = now
  known.delayMs = Math.max(atLeast, enough ? window.quantile(quantile) : UNKNOWN_MS)
  known.stalledMs = enough ? Math.max(atLeast, 2 * window.quantile(0.5)) : known.delayMs
  if (enough) known.calmMs = Math.min(known.delayMs, known.calmMs * GROWTH)
}
