import type { Candidates, Target } from './contract.ts'
import type { Division, Part } from './division.ts'
import type { SafeBalancer } from './safe-balancer.ts'
import type { BalancerOf } from './snapshot.ts'
import type { TargetState } from './target.ts'

/** Those that a balancer picks from: a tier, or a part of one. */
export interface Group {
  /** Number of its tier. */
  readonly tier: number
  /** Its tier has no share of the traffic. */
  readonly inReserve: boolean
  /** Undefined where it has no share: it is there for requests that find no place elsewhere. */
  readonly balancer: SafeBalancer | undefined
  readonly candidates: readonly [TargetState, ...TargetState[]]
  readonly slices: ReadonlyMap<Target, number> | undefined
  /** Upper end of its stretch of [0, 1). */
  readonly upTo: number
  /** The largest share of a candidate, its slice included. */
  readonly mostShare: number
}

/** A tier that is to be divided. */
interface Whole {
  readonly number: number
  readonly targets: readonly TargetState[]
  /** Those of them that may be picked; not empty. */
  readonly candidates: readonly TargetState[]
  /** Its stretch of [0, 1) begins here and is as long as its share. */
  readonly from: number
  readonly share: number
}

export function groupsOf(tier: Whole, divide: Division | undefined, balancerOf: BalancerOf): Group[] {
  let upTo = tier.from
  return partsOf(tier, divide).map(({ name, targets, share, slices }) => {
    const candidates = targets as unknown as Group['candidates']
    upTo += tier.share * share
    let mostShare = 0
    for (const one of candidates) mostShare = Math.max(mostShare, one.share * (slices?.get(one) ?? 1))
    const balancer =
      tier.share * share === 0
        ? undefined
        : balancerOf(`${tier.number} ${name}`, candidates as unknown as Candidates)
    return { tier: tier.number, inReserve: tier.share === 0, balancer, candidates, slices, upTo, mostShare }
  })
}

/** Parts that have somebody to pick; their shares sum to 1. */
function partsOf({ targets, candidates }: Whole, divide: Division | undefined): Part[] {
  const parts: Part[] = []
  for (const part of divide?.(targets) ?? []) {
    const own = part.targets.filter((target) => (target as TargetState).candidate)
    if (own.length > 0) parts.push({ ...part, targets: own })
  }
  const sum = parts.reduce((total, { share }) => total + share, 0)
  if (!(sum > 0)) return [{ name: '', targets: candidates, share: 1 }]
  const divided = new Set(parts.flatMap((part) => part.targets))
  const others = candidates.filter((target) => !divided.has(target))
  const all = parts.map((part) => ({ ...part, share: part.share / sum }))
  return others.length === 0 ? all : [...all, { name: 'rest', targets: others, share: 0 }]
}
