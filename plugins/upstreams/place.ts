import type { HealthSource, LeaseRequest, PolicyContext } from './contract.ts'
import { ABANDONED } from './lease.ts'
import type { Tier } from './snapshot.ts'
import type { TargetState } from './target.ts'

/** How often a balancer is asked again when what it picked cannot be had, before the registry looks itself. */
const REPICKS = 3

/**
 * What a target that is believed to fail gets of its usual traffic in panic until there is proof that it works: enough
 * to find out. Envoy gives it all; a dead one would then cost each of its requests a retry.
 */
const PANIC_SHARE = 0.1

/** Places requests on the targets that may be picked, so that a balancer may be naive about it. */
export class Placement {
  readonly #context: PolicyContext
  readonly #sources: readonly HealthSource[]
  readonly #capacity: number
  #admitting: HealthSource[] = []
  #trusting: HealthSource[] = []

  constructor(context: PolicyContext, sources: readonly HealthSource[], capacity: number) {
    this.#context = context
    this.#sources = sources
    this.#capacity = capacity
  }

  /** Looks anew at who is to be asked what. */
  refresh(): void {
    this.#admitting = this.#sources.filter(({ admit }) => admit !== undefined)
    this.#trusting = this.#sources.filter(({ trusts }) => trusts !== undefined)
  }

  /** A target for the request, or undefined if none of these tiers has room. */
  place(tiers: readonly Tier[], request: LeaseRequest): TargetState | undefined {
    // What cannot be undone goes where there is proof of life, as long as there is such a place; and so does what has
    // failed or waited already. The first attempts of the rest find out about the others.
    const first = request.repeatable && request.tried.size === 0
    const proven = first || this.#trusting.length === 0 ? undefined : this.#over(tiers, request, true)
    return proven ?? this.#over(tiers, request, false) ?? this.#again(tiers, request)
  }

  #over(tiers: readonly Tier[], request: LeaseRequest, proven: boolean): TargetState | undefined {
    const first = tiers[0] as Tier
    if (tiers.length === 1) return this.#within(first, request, proven)
    const dice = first.upTo < 1 ? this.#context.random() : 0
    const chosen = tiers.find(({ upTo }) => dice < upTo) ?? first
    let target = this.#within(chosen, request, proven)
    for (let i = 0; target === undefined && i < tiers.length; i++) {
      const tier = tiers[i] as Tier
      if (tier !== chosen) target = this.#within(tier, request, proven)
    }
    return target
  }

  #within(tier: Tier, request: LeaseRequest, proven: boolean): TargetState | undefined {
    const { balancer, candidates } = tier
    let thinned: Set<TargetState> | undefined
    let asked = request
    for (let i = 0; balancer !== undefined && i < REPICKS; i++) {
      // A balancer of a user may return nothing, or a target that it kept from an earlier snapshot.
      const target = balancer.pick(candidates, asked) as TargetState | undefined
      if (target?.candidate !== true || thinned?.has(target)) continue
      if (this.#free(target, request, proven)) {
        // One throw of the dice a lease: a balancer that insists on a target cannot wear its share down.
        const share = this.#shareOf(target)
        if (share < 1 && this.#context.random() >= share) {
          thinned ??= new Set()
          thinned.add(target)
        } else if (this.#admits(target, request)) return target
      }
      // Else a policy that sends like to like would name it once more, and not the next in line.
      asked = { ...asked, tried: new Set(asked.tried).add(target) }
    }
    const takes = (target: TargetState) =>
      this.#free(target, request, proven) && this.#admits(target, request)
    return (
      this.#leastBusy(candidates, (target) => !thinned?.has(target) && takes(target)) ??
      (thinned && this.#leastBusy([...thinned], takes))
    )
  }

  /** Every target has been tried: better a second try at one than none at all. */
  #again(tiers: readonly Tier[], request: LeaseRequest): TargetState | undefined {
    if (request.tried.size === 0 || request.elsewhere === true) return undefined
    return this.#leastBusy(
      tiers.flatMap(({ candidates }) => candidates),
      (target) => target.candidate && target.inflight < this.#capacity && this.#admits(target, request),
    )
  }

  #free(target: TargetState, { tried }: LeaseRequest, proven: boolean): boolean {
    if (!target.candidate || target.inflight >= this.#capacity || (tried.size > 0 && tried.has(target)))
      return false
    return !proven || this.#trusted(target)
  }

  #trusted(target: TargetState): boolean {
    for (const source of this.#trusting) if (source.trusts?.(target) === false) return false
    return true
  }

  #shareOf(target: TargetState): number {
    const { share } = target
    return target.believedDown && !this.#trusted(target) ? Math.min(share, PANIC_SHARE) : share
  }

  /** In the order of how busy they are for the traffic that they are meant to carry. */
  #leastBusy(
    targets: readonly TargetState[],
    takes: (target: TargetState) => boolean,
  ): TargetState | undefined {
    return targets
      .filter(({ share }) => share > 0)
      .map((target) => ({ target, cost: (target.inflight + 1) / this.#shareOf(target) }))
      .sort((a, b) => a.cost - b.cost)
      .find(({ target }) => takes(target))?.target
  }

  #admits(target: TargetState, request: LeaseRequest): boolean {
    const sources = this.#admitting
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as HealthSource
      let admitted = false
      try {
        admitted = source.admit?.(target, request) !== false
      } finally {
        if (!admitted) this.#giveBack(target, i)
      }
      if (!admitted) return false
    }
    return true
  }

  /** The sources asked before have spent a permit on an attempt that is not made. */
  #giveBack(target: TargetState, asked: number): void {
    const now = this.#context.now()
    for (const before of this.#admitting.slice(0, asked)) before.onOutcome?.(target, ABANDONED, now)
  }
}
