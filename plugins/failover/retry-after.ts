import type { Outcome, PolicyContext, Target } from '../upstreams/contract.ts'
import type { HealthSource } from '../upstreams/health-source.ts'

/** What a target that asked to be left alone gets of its usual traffic: with all of them busy, somebody has to serve. */
const SHARE = 0.05

/**
 * A target that answers 503 with a Retry-After is sent next to nothing for as long as it says. That is no veto: it is
 * not broken, tiers need not spill over, and where all targets say so they share the traffic as before.
 */
export class RetryAfter implements HealthSource {
  readonly name = 'retry-after'
  readonly #context: Pick<PolicyContext, 'now'>
  readonly #longestOf: (upstream: string) => number
  readonly #changed: (target: Target) => void
  /** Monotonic milliseconds until which a target is to be left alone. */
  readonly #until = new Map<Target, number>()

  /**
   * @param longestOf milliseconds for which a target of that upstream is left alone at most
   * @param changed hears of a target whose share is another now
   */
  constructor(
    context: Pick<PolicyContext, 'now'>,
    longestOf: (upstream: string) => number,
    changed: (target: Target) => void,
  ) {
    this.#context = context
    this.#longestOf = longestOf
    this.#changed = changed
  }

  allows(): boolean {
    return true
  }

  share(target: Target): number {
    return this.#until.has(target) ? SHARE : 1
  }

  onOutcome(target: Target, outcome: Outcome): void {
    if (outcome.kind !== 'answered' || outcome.status !== 503 || outcome.retryAfterMs === undefined) return
    const forMs = Math.min(outcome.retryAfterMs, this.#longestOf(target.upstream))
    if (forMs === 0) return
    const known = this.#until.has(target)
    this.#until.set(target, this.#context.now() + forMs)
    if (!known) this.#changed(target)
  }

  forget(target: Target): void {
    this.#until.delete(target)
  }

  /** Brings back those whose time is over; to be called from time to time. */
  sweep(): void {
    const now = this.#context.now()
    for (const [target, until] of this.#until) {
      if (until > now) continue
      this.#until.delete(target)
      this.#changed(target)
    }
  }
}
