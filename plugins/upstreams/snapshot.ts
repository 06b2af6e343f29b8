import type { Balancer, Candidates, HealthSource, Veto } from './contract.ts'
import type { FailBack } from './fail-back.ts'
import type { TargetState } from './target.ts'
import { carries, inPanic, type TierHealth, tierShares } from './tiers.ts'

/** A tier, and those of its targets that may be picked. */
export interface Tier {
  /** Undefined where it has no share: it is there for requests that no other tier can take. */
  readonly balancer: Balancer | undefined
  readonly candidates: readonly [TargetState, ...TargetState[]]
  /** Upper end of this tier's stretch of [0, 1). */
  readonly upTo: number
  /** The largest share of a candidate. */
  readonly mostShare: number
}

export interface Snapshot {
  readonly tiers: readonly Tier[]
  /** By tier; sums to 1 unless nobody can be picked. */
  readonly shares: readonly number[]
  /** Numbers of the tiers in which health is set aside. */
  readonly panic: readonly number[]
}

/** What decides over the tiers of an upstream. */
export interface TierRules {
  readonly panicThreshold: number
  readonly failBack: FailBack
}

interface Level {
  total: number
  readonly eligible: TargetState[]
  readonly unhealthy: TargetState[]
}

/** The least share that a source gives it. */
export function shareOf(target: TargetState, sources: readonly HealthSource[]): number {
  let least = 1
  for (const source of sources) least = Math.min(least, source.share?.(target) ?? 1)
  return least
}

/** The gravest veto of all sources: not known yet, then barred, then unhealthy. */
export function vetoOn(target: TargetState, sources: readonly HealthSource[]): Veto | undefined {
  let gravest: Veto | undefined
  for (const source of sources) {
    if (source.allows(target)) continue
    const veto = source.veto?.(target) ?? 'unhealthy'
    if (veto === 'unchecked') return veto
    if (gravest !== 'barred') gravest = veto
  }
  return gravest
}

/**
 * Who may be picked, by tier: health, draining, shares, spill-over and panic folded into one list.
 * @param unweighted those without weight as well: by default only where there would be nobody else
 */
export function buildSnapshot(
  targets: readonly TargetState[],
  sources: readonly HealthSource[],
  { panicThreshold, failBack }: TierRules,
  now: number,
  balancerOf: (tier: number, candidates: Candidates) => Balancer,
  unweighted = targets.every(({ weight }) => weight === 0),
): Snapshot {
  const levels = sort(targets, sources, unweighted)
  const health = levels.map(({ eligible, total }) => ({ eligible: eligible.length, total }))
  // Nobody to set health aside for is no panic.
  const panicking = inPanic(health, panicThreshold).map((is, i) => is && levels[i]!.unhealthy.length > 0)
  const usable = levels.map(({ eligible, unhealthy }, i) => {
    if (panicking[i] !== true) return eligible
    for (const target of unhealthy) {
      target.believedDown = true
      target.usable = true
    }
    return [...eligible, ...unhealthy]
  })
  const shares: number[] = sharesOf(health, failBack, now)
  const first = usable.findIndex((candidates) => candidates.length > 0)
  // Rather who was given no weight than nobody, or those that are believed to fail alone.
  if (
    !unweighted &&
    health.every(({ eligible }) => eligible === 0) &&
    targets.some(({ weight }) => weight === 0)
  )
    return buildSnapshot(targets, sources, { panicThreshold, failBack }, now, balancerOf, true)
  // Nobody is well anywhere: the first tier that panics has it all.
  const idle = !shares.some((share) => share > 0)
  if (first !== -1 && idle) shares[first] = 1

  const tiers: Tier[] = []
  let upTo = 0
  for (const [number, list] of usable.entries()) {
    if (list.length === 0) continue
    const candidates = list as unknown as Tier['candidates']
    const share = shares[number] as number
    upTo += share
    let mostShare = 0
    for (const target of candidates) {
      target.candidate = true
      mostShare = Math.max(mostShare, target.share)
    }
    const balancer = share === 0 ? undefined : balancerOf(number, candidates)
    tiers.push({ balancer, candidates, upTo, mostShare })
  }
  const panic = [...panicking.keys()].filter((number) => panicking[number])
  return { tiers, shares, panic }
}

function sort(
  targets: readonly TargetState[],
  sources: readonly HealthSource[],
  unweighted: boolean,
): Level[] {
  const levels: Level[] = []
  for (const target of targets) {
    levels[target.tier] ??= { total: 0, eligible: [], unhealthy: [] }
    const level = levels[target.tier] as Level
    target.candidate = false
    target.believedDown = false
    target.share = shareOf(target, sources)
    const veto = vetoOn(target, sources)
    target.usable = !target.draining && veto === undefined
    // Who is told to go, is not known yet, or was given no weight, is missed by nobody.
    if (target.draining || veto === 'unchecked' || (target.weight === 0 && !unweighted)) continue
    level.total++
    if (veto === undefined) level.eligible.push(target)
    else if (veto === 'unhealthy') level.unhealthy.push(target)
  }
  return Array.from(levels, (level) => level ?? { total: 0, eligible: [], unhealthy: [] })
}

/** A tier that got better is held back only as long as the others can carry the traffic without it. */
function sharesOf(health: readonly TierHealth[], failBack: FailBack, now: number): number[] {
  const held = health.map(({ eligible, total }, tier) => ({
    eligible: total === 0 ? 0 : failBack.held(tier, eligible / total, now) * total,
    total,
  }))
  return tierShares(carries(held) ? held : health)
}
