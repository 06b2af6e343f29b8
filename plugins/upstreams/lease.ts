import type { Lease, Outcome } from './contract.ts'
import type { TargetState } from './target.ts'

export const ABANDONED: Outcome = { kind: 'abandoned' }

/** Hears what became of an attempt. */
export interface Settling {
  settled(target: TargetState, outcome: Outcome): void
}

export class LeaseState implements Lease {
  readonly target: TargetState
  readonly #upstream: Settling
  #settled = false
  #released = false

  /** The target is busy with it from here on. */
  constructor(upstream: Settling, target: TargetState) {
    this.#upstream = upstream
    this.target = target
    target.inflight++
  }

  settle(outcome: Outcome): void {
    if (this.#settled) return
    this.#settled = true
    this.#upstream.settled(this.target, outcome)
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    try {
      // A permit that was spent on this attempt must come back, whichever path forgot to say how it ended.
      this.settle(ABANDONED)
    } finally {
      // Whoever hears outcomes may fail; the target is free again all the same.
      this.target.leave()
    }
  }
}
