import type { HealthSource, Outcome, PolicyContext, Target } from '../upstreams/contract.ts'
import { TAKEN_OUT, type TargetChange, type UpstreamEvent } from '../upstreams/events.ts'
import { Proof, type ProofOptions } from './proof.ts'

const BACK = new Set(['healthy', 'returned', 'breaker-closed'])

/** Tells where there is proof of life, for all targets of the upstreams that want it. */
export class ProofOfLife implements HealthSource {
  readonly name = 'proof-of-life'
  readonly #context: Pick<PolicyContext, 'now'>
  readonly #optionsOf: (upstream: string) => ProofOptions | undefined
  readonly #proofs = new Map<Target, Proof>()
  /** Those that were taken out, and have not come back. */
  readonly #gone = new Set<Target>()

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

  trusts(target: Target): boolean {
    return this.#proofs.get(target)?.holds(target, this.#context.now()) ?? true
  }

  onOutcome(target: Target, outcome: Outcome): void {
    this.#proofOf(target)?.heard(outcome, this.#context.now())
  }

  /** Of targets that come and go. */
  onTargetChange({ kind, target }: TargetChange): void {
    if (kind === 'added') this.#proofOf(target)?.doubt(this.#context.now())
    else if (kind === 'removed') {
      this.#proofs.delete(target)
      this.#gone.delete(target)
    }
  }

  /** What other sources have decided: who comes back has to prove itself. */
  onEvent({ name, target }: Pick<UpstreamEvent, 'name' | 'target'>): void {
    if (target === undefined) return
    if (TAKEN_OUT.has(name)) this.#gone.add(target)
    else if (BACK.has(name) && this.#gone.delete(target)) {
      this.#proofOf(target)?.doubt(this.#context.now())
    }
  }

  #proofOf(target: Target): Proof | undefined {
    let proof = this.#proofs.get(target)
    if (proof === undefined) {
      const options = this.#optionsOf(target.upstream)
      if (options === undefined) return undefined
      proof = new Proof(options)
      this.#proofs.set(target, proof)
    }
    return proof
  }
}
