import type { Lease, Outcome } from './contract.ts'
import { ABANDONED } from './evidence.ts'
import type { TargetState } from './target.ts'

/** Hears what became of an attempt. */
export interface Settling {
  /** Monotonic milliseconds. */
  now(): number
  settled(target: TargetState, outcome: Outcome, startedAt: number): void
}

/** Whether the target had to do something for it, be it to refuse the connection. */
function isSignOfLife(outcome: Outcome): boolean {
  if (outcome.kind === 'failed') return outcome.reason !== 'timeout' && outcome.reason !== 'overflow'
  return outcome.kind === 'answered'
}

export class LeaseState implements Lease {
  readonly target: TargetState
  readonly #upstream: Settling
  readonly #startedAt: number
  readonly #tunnel: boolean
  #waiting = true
  #settled = false
  #released = false

  /** The target is busy with it from here on. */
  constructor(upstream: Settling, target: TargetState, tunnel = false) {
    this.#upstream = upstream
    this.target = target
    this.#tunnel = tunnel
    target.enter(tunnel)
    this.#startedAt = upstream.now()
    if (target.waiting++ === 0) target.quietSince = this.#startedAt
  }

  heard(): void {
    if (!this.#waiting) return
    this.#waiting = false
    this.target.waiting--
    this.target.quietSince = this.#upstream.now()
  }

  settle(outcome: Outcome): void {
    if (this.#settled) return
    this.#settled = true
    if (isSignOfLife(outcome)) this.heard()
    else if (this.#waiting) {
      // The others that wait have waited no less.
      this.#waiting = false
      this.target.waiting--
    }
    this.#upstream.settled(this.target, outcome, this.#startedAt)
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    try {
      // A permit that was spent on this attempt must come back, whichever path forgot to say how it ended.
      this.settle(ABANDONED)
    } finally {
      // Whoever hears outcomes may fail; the target is free again all the same.
      this.target.leave(this.#tunnel)
    }
  }
}
