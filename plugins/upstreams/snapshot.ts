import type { Candidates } from './contract.ts'
import type { Division } from './division.ts'
import type { FailBack } from './fail-back.ts'
import { type Group, groupsOf } from './groups.ts'
import type { HealthSource, Veto } from './health-source.ts'
import type { SafeBalancer } from './safe-balancer.ts'
import type { TargetState } from './target.ts'
import { carries, inPanic, type TierHealth, tierShares } from './tiers.ts'

export interface Snapshot {
  /** Of all tiers, tier 0 first. */
  readonly groups: readonly Group[]
  /** By tier; sums to 1 unless nobody can be picked. */
  readonly shares: readonly number[]
  /** Numbers of the tiers in which health is set aside. */
  readonly panic: readonly number[]
}

/** What decides over the tiers of an upstream. */
export interface TierRules {
  readonly panicThreshold: number
  readonly failBack: FailBack
  /** Undefined: tiers are used whole. */
  readonly divide: Division | undefined
}

/** Makes or finds the balancer of a part of a tier, and tells it of its targets. */
export type BalancerOf = (name: string, candidates: Candidates) => SafeBalancer

interface Level {
  readonly all: TargetState[]
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
 * Who may be picked, by tier and part of a tier: health, draining, shares, spill-over and panic folded into one list.
 * @param unweighted those without weight as well: by default only where there would be nobody else
 */
export function buildSnapshot(
  targets: readonly TargetState[],
  sources: readonly HealthSource[],
  rules: TierRules,
  now: number,
  balancerOf: BalancerOf,
  unweighted = targets.every(({ weight }) => weight === 0),
): Snapshot {
  const levels = sort(targets, sources, unweighted)
  const health = levels.map(({ eligible, total }) => ({ eligible: eligible.length, total }))
  // Rather who was given no weight than nobody, or those that are believed to fail alone.
  const nobody = health.every(({ eligible }) => eligible === 0)
  if (!unweighted && nobody && targets.some(({ weight }) => weight === 0))
    return buildSnapshot(targets, sources, rules, now, balancerOf, true)
  // Nobody to set health aside for is no panic.
  const panicking = inPanic(health, rules.panicThreshold).map(
    (is, i) => is && levels[i]!.unhealthy.length > 0,
  )
  const shares = sharesOf(health, rules.failBack, now)
  const usable = levels.map((level, i) => usableOf(level, panicking[i] === true))
  // Nobody is well anywhere: the first tier that panics has it all.
  const first = usable.findIndex((candidates) => candidates.length > 0)
  if (first !== -1 && !shares.some((share) => share > 0)) shares[first] = 1

  let from = 0
  const groups = usable.flatMap((candidates, number) => {
    if (candidates.length === 0) return []
    const share = shares[number] as number
    const tier = { number, targets: levels[number]!.all, candidates, from, share }
    from += share
    return groupsOf(tier, rules.divide, balancerOf)
  })
  const panic = [...panicking.keys()].filter((number) => panicking[number])
  return { groups, shares, panic }
}

function usableOf({ eligible, unhealthy }: Level, panics: boolean): TargetState[] {
  const candidates = panics ? [...eligible, ...unhealthy] : eligible
  for (const target of candidates) {
    target.candidate = true
    if (target.standing === 'well') continue
    target.standing = 'doubtful'
    target.usable = true
  }
  return candidates
}

function sort(
  targets: readonly TargetState[],
  sources: readonly HealthSource[],
  unweighted: boolean,
): Level[] {
  const levels: Level[] = []
  for (const target of targets) {
    levels[target.tier] ??= { all: [], total: 0, eligible: [], unhealthy: [] }
    const level = levels[target.tier] as Level
    level.all.push(target)
    target.candidate = false
    target.share = shareOf(target, sources)
    const veto = vetoOn(target, sources)
    target.usable = !target.draining && veto === undefined
    // Who is told to go, is not known yet, or was given no weight, is missed by nobody.
    if (target.draining || veto === 'unchecked' || (target.weight === 0 && !unweighted)) {
      target.standing = 'absent'
      continue
    }
    target.standing = veto === undefined ? 'well' : 'missing'
    level.total++
    if (veto === undefined) level.eligible.push(target)
    else if (veto === 'unhealthy') level.unhealthy.push(target)
  }
  return Array.from(levels, (level) => level ?? { all: [], total: 0, eligible: [], unhealthy: [] })
}

/** A tier that got better is held back only as long as the others can carry the traffic without it. */
function sharesOf(health: readonly TierHealth[], failBack: FailBack, now: number): number[] {
  const ratios = failBack.held(
    health.map(({ eligible, total }) => (total === 0 ? undefined : eligible / total)),
    now,
  )
  const held = health.map(({ total }, tier) => ({ eligible: (ratios[tier] as number) * total, total }))
  return tierShares(carries(held) ? held : health)
}
