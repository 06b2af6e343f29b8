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

/** `p95` is 0.95; undefined if it is nothing of the kind. */
export function quantileOf(value: unknown): number | undefined {
  const percent = Number(/^p(\d{1,2}(?:\.\d+)?)$/.exec(String(value))?.[1] ?? 0)
  return percent > 0 ? percent / 100 : undefined
}

interface Known {
  readonly window: LatencyWindow
  delayMs: number
  reckonedAt: number
}

/**
 * Hedged requests (Dean and Barroso, "The Tail at Scale", 2013): a second attempt once the first has taken longer
 * than most do. The latencies are the route's and not a target's: a slow target must not be the measure of itself.
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

  /** Milliseconds after which a second attempt may begin, or undefined for never. */
  afterMs({ upstream, route, repeatable, replayable, bound }: Attempt): number | undefined {
    const { enabled, after, atLeast } = this.#optionsOf(upstream)
    // Where another target has no such session, its answer is soon there and wrong.
    if (!enabled || !repeatable || !replayable || bound) return undefined
    if (typeof after === 'number') return Math.max(after, atLeast)
    const known = this.#routes.get(route)
    if (known === undefined) return Math.max(UNKNOWN_MS, atLeast)
    const now = this.#now()
    if (now - known.reckonedAt >= FRESH_MS) {
      known.reckonedAt = now
      known.delayMs =
        known.window.size < LEAST_KNOWN
          ? Math.max(UNKNOWN_MS, atLeast)
          : Math.max(atLeast, known.window.quantile(after.quantile))
    }
    return known.delayMs
  }

  may({ upstream }: Attempt): boolean {
    return this.#budgetOf(upstream).withdraw()
  }

  /** An attempt was answered; what it took is part of the measure. */
  answered({ upstream, route }: Attempt, outcome: Outcome & { kind: 'answered' }): void {
    const { enabled, after } = this.#optionsOf(upstream)
    if (!enabled || typeof after === 'number') return
    const now = this.#now()
    let known = this.#routes.get(route)
    if (known === undefined) {
      known = { window: new LatencyWindow(now), delayMs: UNKNOWN_MS, reckonedAt: Number.NEGATIVE_INFINITY }
      this.#routes.set(route, known)
    }
    known.window.add(outcome.latencyMs, now)
  }
}
