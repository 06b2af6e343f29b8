import type { Target } from '../../upstreams/contract.ts'
import type { Division } from '../../upstreams/division.ts'
import { type TierHealth, tierShares } from '../../upstreams/tiers.ts'

export interface ZoneOptions {
  readonly zone: string
  /** Part of the own zone's targets that is enough to keep all traffic there. Above 0, at most 1. */
  readonly minHealthy: number
}

function healthOf(targets: readonly Target[]): TierHealth {
  const members = targets.filter(({ standing }) => standing !== 'absent')
  return {
    eligible: members.filter(({ standing }) => standing === 'well').length,
    total: members.length,
  }
}

/**
 * The own zone first: it has all the traffic while at least `minHealthy` of its targets are well, below that in
 * proportion, and the other zones have the rest. What neither has the health for they share alike: the rules by which
 * tiers spill over (Envoy's priority levels), with 1 / minHealthy as the overprovisioning factor.
 *
 * Those that are used in panic only are not well: a zone that is lost as a whole gets nothing as long as another stands.
 */
export function zoneAware({ zone, minHealthy }: ZoneOptions): Division {
  return (targets) => {
    const own = targets.filter((target) => target.zone === zone)
    const others = targets.filter((target) => target.zone !== zone)
    const [mine = 0, theirs = 0] = tierShares([healthOf(own), healthOf(others)], 1 / minHealthy)
    return [
      { name: 'own zone', targets: own, share: mine },
      { name: 'other zones', targets: others, share: theirs },
    ]
  }
}
