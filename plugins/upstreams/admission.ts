import type { LeaseRequest, PolicyContext } from './contract.ts'
import { ABANDONED } from './evidence.ts'
import type { HealthSource } from './health-source.ts'
import type { TargetState } from './target.ts'

/**
 * What a target that is believed to fail gets of its usual traffic in panic until there is proof that it works: enough
 * to find out. Envoy gives it all; a dead one would then cost each of its requests a retry.
 */
const PANIC_SHARE = 0.1

/** Whether a target can have one request more: room, proof of life, permits. */
export class Admission {
  readonly #context: Pick<PolicyContext, 'now'>
  readonly #sources: readonly HealthSource[]
  readonly #capacity: number
  readonly #tunnels: number
  #admitting: HealthSource[] = []
  #trusting: HealthSource[] = []

  /**
   * @param capacity requests that a target may have under way, waiting ones included
   * @param tunnels tunnels that it may have besides
   */
  constructor(
    context: Pick<PolicyContext, 'now'>,
    sources: readonly HealthSource[],
    capacity: number,
    tunnels: number,
  ) {
    this.#context = context
    this.#sources = sources
    this.#capacity = capacity
    this.#tunnels = tunnels
  }

  /** Looks anew at who is to be asked what. */
  refresh(): void {
    this.#admitting = this.#sources.filter(({ admit }) => admit !== undefined)
    this.#trusting = this.#sources.filter(({ trusts }) => trusts !== undefined)
  }

  /** Whether anybody tells where there is proof. */
  get knowsProof(): boolean {
    return this.#trusting.length > 0
  }

  full({ inflight, tunnels }: TargetState, { tunnel }: LeaseRequest): boolean {
    return tunnel === true ? tunnels >= this.#tunnels : inflight - tunnels >= this.#capacity
  }

  /** @param proven only if there is proof that it works */
  free(target: TargetState, request: LeaseRequest, proven: boolean): boolean {
    const { tried } = request
    if (!target.candidate || this.full(target, request) || (tried.size > 0 && tried.has(target))) return false
    return !proven || this.trusted(target)
  }

  trusted(target: TargetState): boolean {
    for (const source of this.#trusting) if (source.trusts?.(target) === false) return false
    return true
  }

  /** Of its usual traffic. */
  shareOf(target: TargetState): number {
    const { share, standing } = target
    return standing === 'doubtful' && !this.trusted(target) ? Math.min(share, PANIC_SHARE) : share
  }

  /** Asks those who give permits, and spends them. */
  admits(target: TargetState, request: LeaseRequest): boolean {
    const sources = this.#admitting
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as HealthSource
      if (source.admit?.(target, request) !== false) continue
      this.#giveBack(target, i)
      return false
    }
    return true
  }

  /** The sources asked before have spent a permit on an attempt that is not made. */
  #giveBack(target: TargetState, asked: number): void {
    const now = this.#context.now()
    for (const before of this.#admitting.slice(0, asked)) before.onOutcome?.(target, ABANDONED, now)
  }
}
