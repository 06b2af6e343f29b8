import type { Outcome, PolicyContext, Target } from '../upstreams/contract.ts'
import { TAKEN_OUT, type TargetChange, type UpstreamEvent } from '../upstreams/events.ts'
import type { HealthSource } from '../upstreams/health-source.ts'
import { UsualLatency } from '../upstreams/usual-latency.ts'
import { Proof, type ProofOptions } from './proof.ts'

const BACK: ReadonlySet<string> = new Set(['healthy', 'returned', 'breaker-closed'])

/** Tells where there is proof of life, for all targets of the upstreams that want it. */
export class ProofOfLife implements HealthSource {
  readonly name = 'proof-of-life'
  readonly #context: Pick<PolicyContext, 'now'>
  readonly #optionsOf: (upstream: string) => ProofOptions | undefined
  readonly #proofs = new Map<Target, Proof>()
  /** What is usual in each tier, by upstream. */
  readonly #tiers = new Map<string, UsualLatency[]>()
  /** Those that were taken out, and by whom; who has taken a target back is struck off. */
  readonly #gone = new Map<Target, Set<string>>()

  constructor(
    context: Pick<PolicyContext, 'now'>,
    optionsOf: (upstream: string) => ProofOptions | undefined,
  ) {
    this.#context = context
    this.#optionsOf = optionsOf
  }

  allows(): boolean {
    return true
  }

  /** Those that were taken out may be used all the same, in panic: only what they answer then speaks for them. */
  trusts(target: Target): boolean {
    return this.#proofOf(target)?.holds(target, this.#context.now(), !this.#gone.has(target)) ?? true
  }

  onOutcome(target: Target, outcome: Outcome): void {
    this.#proofOf(target)?.heard(outcome, this.#context.now(), target.quietSince)
  }

  /** Of targets that come and go. */
  onTargetChange({ kind, target }: TargetChange): void {
    if (kind === 'added') this.#proofOf(target)?.doubt(this.#context.now())
    else if (kind === 'removed') {
      this.#proofs.delete(target)
      this.#gone.delete(target)
    }
  }

  /** What other sources have decided: who is taken out, or comes back, has to prove itself. */
  onEvent({ name, target, by }: Pick<UpstreamEvent, 'name' | 'target' | 'by'>): void {
    if (target === undefined) return
    const takers = this.#gone.get(target)
    if (TAKEN_OUT.has(name)) {
      if (takers === undefined) this.#gone.set(target, new Set([by]))
      else takers.add(by)
    } else if (BACK.has(name) && takers?.delete(by) === true) {
      if (takers.size === 0) this.#gone.delete(target)
    } else return
    this.#proofOf(target)?.doubt(this.#context.now())
  }

  #proofOf(target: Target): Proof | undefined {
    let proof = this.#proofs.get(target)
    if (proof === undefined) {
      const options = this.#optionsOf(target.upstream)
      if (options === undefined) return undefined
      proof = new Proof(options, this.#usualIn(target))
      this.#proofs.set(target, proof)
    }
    return proof
  }

  #usualIn({ upstream, tier }: Target): UsualLatency {
    const tiers = this.#tiers.get(upstream) ?? []
    tiers[tier] ??= new UsualLatency()
    this.#tiers.set(upstream, tiers)
    return tiers[tier]
  }
}
