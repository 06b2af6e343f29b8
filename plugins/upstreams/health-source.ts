/** What a concern thinks of targets: health checks, ejections, breakers, proof of life. */
import type { LeaseRequest, Outcome, Target } from './contract.ts'

/**
 * Why a target may not be used. `unhealthy`: it is believed to fail; set aside when so few are left that the
 * belief itself is doubtful (panic). `barred`: it is not to be used whatever happens (an open breaker).
 * `unchecked`: nothing is known of it yet; it does not count as a member of its tier so far.
 */
export type Veto = 'unhealthy' | 'barred' | 'unchecked'

/** An opinion on which targets may be used. Several may speak: any veto wins, the smallest share wins. */
export interface HealthSource {
  readonly name: string
  /** Asked when a snapshot is built. A question: changes nothing. Tell a change of mind with `registry.changed`. */
  allows(target: Target): boolean
  /** Asked of targets that it does not allow. Default unhealthy. */
  veto?(target: Target): Veto
  /** 0..1 of the target's usual traffic (slow start, a doubt). Default 1. Asked when a snapshot is built. */
  share?(target: Target): number
  /**
   * Whether there is proof that the target works now. A request that cannot be repeated, and every further attempt,
   * goes to such a target as long as there is one. Asked when it is placed: has to be cheap, and changes nothing. Default true.
   */
  trusts?(target: Target): boolean
  /** Asked of the picked target only: where a half-open breaker spends a permit. `false` means pick another. */
  admit?(target: Target, request: LeaseRequest): boolean
  /** @param startedAt when the attempt was admitted, in monotonic milliseconds: tells what it is evidence of */
  onOutcome?(target: Target, outcome: Outcome, startedAt: number): void
}
