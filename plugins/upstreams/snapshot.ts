import type { Balancer, Candidates, HealthSource } from './contract.ts'
import type { TargetState } from './target.ts'
import { tierShares } from './tiers.ts'

/** A tier that is in use, and those of its targets that may be picked. */
export interface Tier {
  readonly balancer: Balancer
  readonly candidates: readonly [TargetState, ...TargetState[]]
  /** Upper end of this tier's stretch of [0, 1). */
  readonly upTo: number
}

interface Level {
  total: number
  readonly eligible: TargetState[]
}

/** Who may be picked, by tier: health, draining, shares and spill-over folded into one list. */
export function buildTiers(
  targets: readonly TargetState[],
  sources: readonly HealthSource[],
  balancerOf: (tier: number, candidates: Candidates) => Balancer,
): Tier[] {
  const levels: Level[] = []
  for (const target of targets) {
    levels[target.tier] ??= { total: 0, eligible: [] }
    const level = levels[target.tier] as Level
    level.total++
    target.candidate = false
    target.share = sources.reduce((least, source) => Math.min(least, source.share?.(target) ?? 1), 1)
    if (!target.draining && sources.every((source) => source.allows(target))) level.eligible.push(target)
  }
  const shares = tierShares(
    Array.from(levels, (level) => ({ eligible: level?.eligible.length ?? 0, total: level?.total ?? 0 })),
  )
  const tiers: Tier[] = []
  let upTo = 0
  for (const [number, share] of shares.entries()) {
    if (share === 0) continue
    upTo += share
    const candidates = levels[number]?.eligible as unknown as Tier['candidates']
    for (const target of candidates) target.candidate = true
    tiers.push({ balancer: balancerOf(number, candidates), candidates, upTo })
  }
  return tiers
}
