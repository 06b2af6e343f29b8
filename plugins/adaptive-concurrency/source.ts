import type { LeaseRequest, Outcome, PolicyContext, Target } from '../upstreams/contract.ts'
import type { HealthSource } from '../upstreams/health-source.ts'
import { GradientLimit, type GradientOptions } from './gradient.ts'

/**
 * The latency that an outcome tells of, in milliseconds. Only work that was done, or waited for in vain, tells how
 * busy the target is: an error is often quick just because there is too much to do.
 */
export function sampleOf(outcome: Outcome): number | undefined {
  if (outcome.kind === 'abandoned') return undefined
  if (outcome.kind === 'failed') return outcome.reason === 'timeout' ? outcome.latencyMs : undefined
  return outcome.status >= 500 || outcome.status === 429 ? undefined : outcome.latencyMs
}

/** The limits of all targets whose upstream wants them, as one health source: it bars none, but takes no more. */
export class LimitSource implements HealthSource {
  readonly name = 'adaptive-concurrency'
  readonly #optionsOf: (upstream: string) => GradientOptions | undefined
  readonly #context: PolicyContext
  readonly #limits = new Map<Target, GradientLimit>()

  /** @param optionsOf of an upstream; undefined where its targets have no such limit */
  constructor(optionsOf: (upstream: string) => GradientOptions | undefined, context: PolicyContext) {
    this.#optionsOf = optionsOf
    this.#context = context
  }

  allows(): boolean {
    return true
  }

  /** Tunnels have a bound of their own, and say nothing of how many requests a target can take. */
  admit(target: Target, { tunnel }: LeaseRequest): boolean {
    return tunnel === true || (this.#limits.get(target)?.admits(target.inflight - target.tunnels) ?? true)
  }

  onOutcome(target: Target, outcome: Outcome, startedAt: number): void {
    const limit = this.#limits.get(target)
    if (limit === undefined) return
    const sample = sampleOf(outcome)
    if (sample !== undefined) limit.record(sample, startedAt)
  }

  /** What is learnt of each target that is followed. */
  get limits(): ReadonlyMap<Target, Pick<GradientLimit, 'limit' | 'minRtt'>> {
    return this.#limits
  }

  /** Undefined where there is none. */
  limit(target: Target): number | undefined {
    return this.#limits.get(target)?.limit
  }

  /** A target has come. */
  follow(target: Target): void {
    const options = this.#optionsOf(target.upstream)
    if (options !== undefined) this.#limits.set(target, new GradientLimit(options, this.#context))
  }

  /** A target has gone. */
  forget(target: Target): void {
    this.#limits.delete(target)
  }
}
