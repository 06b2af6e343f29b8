import type { Balancer, Candidates, LeaseRequest, Outcome, Target } from './contract.ts'
import { inTurn } from './in-turn.ts'
import { TargetState } from './target.ts'

/** A balancer whose faults cost no request: what it cannot say, the registry finds by itself. */
export class SafeBalancer {
  readonly #balancer: Balancer
  readonly #failed: (error: unknown) => void

  /**
   * @param create one that throws is replaced: targets are taken in turn
   * @param failed hears of all its faults
   */
  constructor(create: () => Balancer, failed: (error: unknown) => void) {
    this.#failed = failed
    let balancer: Balancer
    try {
      balancer = create()
    } catch (error) {
      failed(error)
      balancer = inTurn()
    }
    this.#balancer = balancer
  }

  onTargets(candidates: Candidates): void {
    try {
      this.#balancer.onTargets?.(candidates)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Undefined if it failed, or named what was no candidate. It may name one that is full or was tried. */
  pick(candidates: Candidates, request: LeaseRequest): TargetState | undefined {
    try {
      const picked: unknown = this.#balancer.pick(candidates, request)
      const [first] = candidates
      if (picked instanceof TargetState && picked.upstream === first.upstream && picked.tier === first.tier)
        return picked
      const what = picked === undefined ? 'undefined' : 'what is no candidate'
      this.#failed(
        new TypeError(`\`pick\` returned ${what}; it has to return one of those that it is handed`),
      )
    } catch (error) {
      this.#failed(error)
    }
    return undefined
  }

  onInflight(target: Target): void {
    try {
      this.#balancer.onInflight?.(target)
    } catch (error) {
      this.#failed(error)
    }
  }

  onOutcome(target: Target, outcome: Outcome): void {
    try {
      this.#balancer.onOutcome?.(target, outcome)
    } catch (error) {
      this.#failed(error)
    }
  }
}
