import type { Admission } from './admission.ts'
import { cheapest } from './cheapest.ts'
import type { LeaseRequest, PolicyContext, Target } from './contract.ts'
import type { Group } from './groups.ts'
import { murmur3 } from './murmur3.ts'
import type { SafeBalancer } from './safe-balancer.ts'
import type { TargetState } from './target.ts'

/** How often a balancer may name what cannot be had, or what was passed over, before the registry looks itself. */
const MISSES = 3
/** And how many it is asked for at most while each is passed over for its share. */
const PICKS = 16
/** Not the seed of any other: keys that spill over are spread over the next group like all keys. */
const GROUP_SEED = 0x27d4eb2f

/**
 * Weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005): the target of the
 * least cost is each key's own, in proportion to weight and share, and a key moves only if that one goes or a better
 * one comes.
 */
function standIn(target: TargetState, share: number, key: string): number {
  const uniform = (murmur3(key, target.hash) + 0.5) / 2 ** 32
  return -Math.log(uniform) / (share * (target.weight || 1))
}

/** How busy it is for the traffic that it is meant to carry. */
function busyness({ inflight, weight }: TargetState, share: number): number {
  return (inflight + 1) / (share * (weight || 1))
}

/** Places requests on the targets that may be picked, so that a balancer may be naive about it. */
export class Placement {
  readonly #random: () => number
  readonly #admission: Admission
  /** Those that the pick under way passed over for their share. */
  readonly #thinned: TargetState[] = []

  constructor({ random }: Pick<PolicyContext, 'random'>, admission: Admission) {
    this.#random = random
    this.#admission = admission
  }

  /** A target for the request, or undefined if none of these groups has room. */
  place(groups: readonly Group[], request: LeaseRequest): TargetState | undefined {
    const home = this.#home(groups, request)
    if (home !== undefined) return home
    // What cannot be undone goes where there is proof of life, as long as there is such a place; and so does what has
    // failed or waited already. The first attempts of the rest find out about the others, and a session is not moved
    // from one stand-in to another for a moment's doubt.
    const first = (request.repeatable || request.binding !== undefined) && request.tried.size === 0
    const proven = first || !this.#admission.knowsProof ? undefined : this.#over(groups, request, true)
    return proven ?? this.#over(groups, request, false) ?? this.#again(groups, request)
  }

  /**
   * The target of the request's session. Neither doubt nor a share nor a weight of 0 keeps it away: nobody else has
   * what is there. But what is believed to fail is away, although there is panic, until there is proof that it works.
   * Not where its tier is in reserve, since it may go away any time.
   */
  #home(groups: readonly Group[], request: LeaseRequest): TargetState | undefined {
    const home = request.binding?.target as TargetState | undefined
    if (home?.usable !== true || request.tried.has(home)) return undefined
    const { standing, tier } = home
    const admission = this.#admission
    if (admission.full(home, request) || (standing === 'doubtful' && !admission.trusted(home)))
      return undefined
    if (groups.some((group) => group.inReserve && group.tier === tier)) return undefined
    return admission.admits(home, request) ? home : undefined
  }

  #over(groups: readonly Group[], request: LeaseRequest, proven: boolean): TargetState | undefined {
    const first = groups[0] as Group
    if (groups.length === 1) return this.#within(first, request, proven)
    const dice = first.upTo < 1 ? this.#dice(request.binding ?? request, GROUP_SEED) : 0
    const chosen = groups.find(({ upTo }) => dice < upTo) ?? first
    let target = this.#within(chosen, request, proven)
    for (let i = 0; target === undefined && i < groups.length; i++) {
      const group = groups[i] as Group
      if (group === chosen || (group.inReserve && request.inUse === true)) continue
      target = this.#within(group, request, proven)
    }
    return target
  }

  #within(group: Group, request: LeaseRequest, proven: boolean): TargetState | undefined {
    const { candidates, balancer } = group
    const { binding } = request
    if (binding !== undefined) {
      return this.#cheapest(candidates, request, (target) =>
        this.#admission.free(target, request, proven)
          ? standIn(target, this.#shareIn(group, target), binding.key)
          : Number.POSITIVE_INFINITY,
      )
    }
    return balancer === undefined
      ? this.#leastBusy(group, candidates, request, proven)
      : this.#byPolicy(group, balancer, request, proven)
  }

  #byPolicy(
    group: Group,
    balancer: SafeBalancer,
    request: LeaseRequest,
    proven: boolean,
  ): TargetState | undefined {
    const { candidates } = group
    const admission = this.#admission
    const thinned = this.#thinned
    thinned.length = 0
    let asked = request
    let named: Set<Target> | undefined
    let misses = 0
    for (let picks = 0; misses < MISSES && picks < PICKS; picks++) {
      // It may name a target that it kept from an earlier snapshot.
      const target = balancer.pick(candidates, asked)
      // One throw of the dice a lease: a balancer that insists on a target cannot wear its share down.
      if (target === undefined || named?.has(target) || !admission.free(target, request, proven)) misses++
      else if (!this.#passes(group, target, request)) thinned.push(target)
      else if (admission.admits(target, request)) return target
      else misses++
      if (target === undefined) continue
      // Else a policy that sends like to like would name it once more, and not the next in line.
      if (named === undefined) {
        named = new Set(request.tried)
        asked = { ...request, tried: named }
      }
      named.add(target)
    }
    // So many different ones, and each has too small a share: one of them, and not whoever has a larger one of all,
    // where all that comes would go.
    const thin = misses < MISSES ? this.#leastBusy(group, thinned, request, proven) : undefined
    return (
      thin ??
      this.#leastBusy(group, candidates, request, proven, named) ??
      this.#leastBusy(group, candidates, request, proven)
    )
  }

  /** Every target has been tried: better a second try at one than none at all. */
  #again(groups: readonly Group[], request: LeaseRequest): TargetState | undefined {
    if (request.tried.size === 0 || request.elsewhere === true) return undefined
    const admission = this.#admission
    return this.#cheapest(
      groups.flatMap(({ candidates }) => candidates),
      request,
      (target) =>
        target.candidate && !admission.full(target, request)
          ? busyness(target, admission.shareOf(target))
          : Number.POSITIVE_INFINITY,
    )
  }

  #shareIn({ slices }: Group, target: TargetState): number {
    const share = this.#admission.shareOf(target)
    return slices === undefined ? share : share * (slices.get(target) ?? 1)
  }

  /** Shares count against the largest one of the group: where all have the same, all get what the policy gives them. */
  #passes(group: Group, target: TargetState, request: LeaseRequest): boolean {
    const share = this.#shareIn(group, target)
    if (share === 0) return false
    return share >= group.mostShare || this.#dice(request, target.hash) * group.mostShare < share
  }

  /** The same for all requests of a key, so that a share of the keys stays where it is and not one of each key. */
  #dice({ key }: Pick<LeaseRequest, 'key'>, seed: number): number {
    return key === '' ? this.#random() : murmur3(key, seed) / 2 ** 32
  }

  /** @param but those that were asked already */
  #leastBusy(
    group: Group,
    targets: readonly TargetState[],
    request: LeaseRequest,
    proven: boolean,
    but?: ReadonlySet<Target>,
  ): TargetState | undefined {
    return this.#cheapest(targets, request, (target) =>
      this.#admission.free(target, request, proven) && but?.has(target) !== true
        ? busyness(target, this.#shareIn(group, target))
        : Number.POSITIVE_INFINITY,
    )
  }

  #cheapest(
    targets: readonly TargetState[],
    request: LeaseRequest,
    costOf: (target: TargetState) => number,
  ): TargetState | undefined {
    return cheapest(this.#random, targets, costOf, (target) => this.#admission.admits(target, request))
  }
}
