import type { HealthSource, LeaseRequest, PolicyContext } from './contract.ts'
import { ABANDONED } from './lease.ts'
import { murmur3 } from './murmur3.ts'
import type { Tier } from './snapshot.ts'
import type { TargetState } from './target.ts'

/** How often a balancer may pick what cannot be had, before the registry looks itself. */
const MISSES = 3
/** And how often it is asked at most while targets are passed over for their shares. */
const PICKS = 16
/** Not the seed of any other: keys that spill over are spread over the next tier like all keys. */
const TIER_SEED = 0x27d4eb2f

/**
 * What a target that is believed to fail gets of its usual traffic in panic until there is proof that it works: enough
 * to find out. Envoy gives it all; a dead one would then cost each of its requests a retry.
 */
const PANIC_SHARE = 0.1

/**
 * Weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005): the target of the
 * least cost is each key's own, in proportion to weight and share, and a key moves only if that one goes or a better
 * one comes.
 */
function standIn(target: TargetState, share: number, key: string): number {
  const uniform = (murmur3(key, target.hash) + 0.5) / 2 ** 32
  return -Math.log(uniform) / (share * (target.weight || 1))
}

/** Places requests on the targets that may be picked, so that a balancer may be naive about it. */
export class Placement {
  readonly #context: PolicyContext
  readonly #sources: readonly HealthSource[]
  readonly #capacity: number
  readonly #tunnels: number
  /** Those that the pick under way passed over for their share. */
  readonly #thinned = new Set<TargetState>()
  #admitting: HealthSource[] = []
  #trusting: HealthSource[] = []

  /**
   * @param capacity requests that a target may have under way, waiting ones included
   * @param tunnels tunnels that it may have besides
   */
  constructor(
    context: PolicyContext,
    sources: readonly HealthSource[],
    capacity: number,
    tunnels = Number.POSITIVE_INFINITY,
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

  /** A target for the request, or undefined if none of these tiers has room. */
  place(tiers: readonly Tier[], request: LeaseRequest): TargetState | undefined {
    const home = this.#home(tiers, request)
    if (home !== undefined) return home
    // What cannot be undone goes where there is proof of life, as long as there is such a place; and so does what has
    // failed or waited already. The first attempts of the rest find out about the others, and a session is not moved
    // from one stand-in to another for a moment's doubt.
    const first = (request.repeatable || request.binding !== undefined) && request.tried.size === 0
    const proven = first || this.#trusting.length === 0 ? undefined : this.#over(tiers, request, true)
    return proven ?? this.#over(tiers, request, false) ?? this.#again(tiers, request)
  }

  /**
   * The target of the request's session. Neither doubt nor a share nor a weight of 0 keeps it away: nobody else has
   * what is there. But what is believed to fail is away, although there is panic, until there is proof that it works.
   * Not where its tier is in reserve, since it may go away any time.
   */
  #home(tiers: readonly Tier[], request: LeaseRequest): TargetState | undefined {
    const home = request.binding?.target as TargetState | undefined
    if (home?.usable !== true || this.#full(home, request) || request.tried.has(home)) return undefined
    if (home.believedDown && !this.#trusted(home)) return undefined
    const inReserve = tiers.some(
      ({ balancer, candidates }) => balancer === undefined && candidates[0].tier === home.tier,
    )
    return !inReserve && this.#admits(home, request) ? home : undefined
  }

  #over(tiers: readonly Tier[], request: LeaseRequest, proven: boolean): TargetState | undefined {
    const first = tiers[0] as Tier
    if (tiers.length === 1) return this.#within(first, request, proven)
    const dice = first.upTo < 1 ? this.#dice(request.binding ?? request, TIER_SEED) : 0
    const chosen = tiers.find(({ upTo }) => dice < upTo) ?? first
    let target = this.#within(chosen, request, proven)
    for (let i = 0; target === undefined && i < tiers.length; i++) {
      const tier = tiers[i] as Tier
      if (tier !== chosen) target = this.#within(tier, request, proven)
    }
    return target
  }

  #within(tier: Tier, request: LeaseRequest, proven: boolean): TargetState | undefined {
    const { binding } = request
    const picked = binding === undefined ? this.#byPolicy(tier, request, proven) : undefined
    if (picked !== undefined) return picked
    const free = (target: TargetState) => this.#free(target, request, proven)
    if (binding !== undefined) {
      return this.#cheapest(tier.candidates, request, (target) =>
        free(target) ? standIn(target, this.#shareOf(target), binding.key) : Number.POSITIVE_INFINITY,
      )
    }
    const thinned = this.#thinned
    // So many are passed over: one of them, and not whoever has a larger share of all, where all that comes would go.
    if (thinned.size > PICKS / 2) return this.#leastBusy([...thinned], request, free)
    return (
      this.#leastBusy(tier.candidates, request, (target) => !thinned.has(target) && free(target)) ??
      (thinned.size === 0 ? undefined : this.#leastBusy([...thinned], request, free))
    )
  }

  #byPolicy(
    { balancer, candidates, mostShare }: Tier,
    request: LeaseRequest,
    proven: boolean,
  ): TargetState | undefined {
    const thinned = this.#thinned
    if (thinned.size > 0) thinned.clear()
    let asked = request
    for (let picks = 0, misses = 0; balancer !== undefined && misses < MISSES && picks < PICKS; picks++) {
      // A balancer of a user may return nothing, or a target that it kept from an earlier snapshot.
      const target = balancer.pick(candidates, asked) as TargetState | undefined
      // One throw of the dice a lease: a balancer that insists on a target cannot wear its share down.
      if (target !== undefined && thinned.has(target)) continue
      if (target?.candidate !== true) {
        misses++
        continue
      }
      if (!this.#free(target, request, proven)) misses++
      else if (!this.#passes(target, mostShare, request)) thinned.add(target)
      else if (this.#admits(target, request)) return target
      else misses++
      // Else a policy that sends like to like would name it once more, and not the next in line.
      asked = { ...asked, tried: new Set(asked.tried).add(target) }
    }
    return undefined
  }

  /** Every target has been tried: better a second try at one than none at all. */
  #again(tiers: readonly Tier[], request: LeaseRequest): TargetState | undefined {
    if (request.tried.size === 0 || request.elsewhere === true) return undefined
    return this.#leastBusy(
      tiers.flatMap(({ candidates }) => candidates),
      request,
      (target) => target.candidate && !this.#full(target, request),
    )
  }

  #full({ inflight, tunnels }: TargetState, { tunnel }: LeaseRequest): boolean {
    return tunnel === true ? tunnels >= this.#tunnels : inflight - tunnels >= this.#capacity
  }

  #free(target: TargetState, request: LeaseRequest, proven: boolean): boolean {
    const { tried } = request
    if (!target.candidate || this.#full(target, request) || (tried.size > 0 && tried.has(target)))
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

  /** Shares count against the largest one: where all have the same, all get what the policy gives them. */
  #passes(target: TargetState, mostShare: number, request: LeaseRequest): boolean {
    const share = this.#shareOf(target)
    if (share === 0) return false
    return share >= mostShare || this.#dice(request, target.hash) * mostShare < share
  }

  /** The same for all requests of a key, so that a share of the keys stays where it is and not one of each key. */
  #dice({ key }: Pick<LeaseRequest, 'key'>, seed: number): number {
    return key === '' ? this.#context.random() : murmur3(key, seed) / 2 ** 32
  }

  /** In the order of how busy they are for the traffic that they are meant to carry. */
  #leastBusy(
    targets: readonly TargetState[],
    request: LeaseRequest,
    free: (target: TargetState) => boolean,
  ): TargetState | undefined {
    return this.#cheapest(targets, request, (target) =>
      free(target)
        ? (target.inflight + 1) / (this.#shareOf(target) * (target.weight || 1))
        : Number.POSITIVE_INFINITY,
    )
  }

  /** The one of the least cost that admits the request, of those that have one. Nobody wins ties by its place. */
  #cheapest(
    targets: readonly TargetState[],
    request: LeaseRequest,
    costOf: (target: TargetState) => number,
  ): TargetState | undefined {
    const { length } = targets
    const from = Math.floor(this.#context.random() * length)
    let best: TargetState | undefined
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < length; i++) {
      const target = targets[(from + i) % length] as TargetState
      const cost = costOf(target)
      if (cost >= least) continue
      best = target
      least = cost
    }
    if (best === undefined || this.#admits(best, request)) return best
    return targets
      .map((target) => ({ target, cost: target === best ? Number.POSITIVE_INFINITY : costOf(target) }))
      .filter(({ cost }) => cost < Number.POSITIVE_INFINITY)
      .sort((a, b) => a.cost - b.cost)
      .find(({ target }) => this.#admits(target, request))?.target
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
