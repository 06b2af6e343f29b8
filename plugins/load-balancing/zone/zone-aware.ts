import type { Balancer, Candidates, PolicyContext, Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'

/** Not the seed of any other: keys that spill are spread over the others like all keys. */
const SPILL_SEED = 0x165667b1

/** Targets of a zone, or of several: those there are and those that may be picked. */
export interface ZoneHealth {
  readonly eligible: number
  readonly known: number
}

/**
 * The part of the traffic that the own zone takes: all of it while at least `minHealthy` of its targets are eligible,
 * below that in proportion. What neither it nor the other zones have the health for they share alike.
 *
 * The rules by which tiers spill over (Envoy's priority levels), with 1 / minHealthy as the overprovisioning factor.
 */
export function ownShare(own: ZoneHealth, others: ZoneHealth, minHealthy: number): number {
  const health = ({ eligible, known }: ZoneHealth): number =>
    known === 0 ? 0 : Math.min(1, eligible / (known * minHealthy))
  const mine = health(own)
  const sum = Math.min(1, mine + health(others))
  return sum === 0 ? 0 : Math.min(1, mine / sum)
}

export interface ZoneOptions {
  readonly zone: string
  readonly minHealthy: number
}

interface Side {
  readonly balancer: Balancer
  list: Candidates | undefined
}

/**
 * The own zone first. Each side has a policy of its own, made by `create`. A request with a key spills by its key, so
 * that like keys stay together; one without by chance.
 *
 * O(1) a pick besides the policy's own, O(N) when targets change.
 *
 * @param known all targets of the upstream, eligible or not
 * @param create makes a policy over the part of the targets that it is handed
 */
export function zoneAware(
  { random }: PolicyContext,
  { zone, minHealthy }: ZoneOptions,
  known: () => readonly Target[],
  create: () => Balancer,
): Balancer {
  const isOwn = (target: Target): boolean => target.zone === zone
  const isOther = (target: Target): boolean => target.zone !== zone
  const own: Side = { balancer: create(), list: undefined }
  const others: Side = { balancer: create(), list: undefined }
  let told: Candidates | undefined
  let share = 0

  function tell(side: Side, list: readonly Target[]): ZoneHealth['eligible'] {
    const { length } = list
    side.list = length === 0 ? undefined : (list as Candidates)
    if (side.list !== undefined) side.balancer.onTargets?.(side.list)
    return length
  }

  function onTargets(candidates: Candidates): void {
    told = candidates
    const { tier } = candidates[0]
    // As with tiers: who is told to go is missed by nobody.
    const there = known().filter((target) => target.tier === tier && !target.draining)
    const mine = there.filter(isOwn).length
    share = ownShare(
      { eligible: tell(own, candidates.filter(isOwn)), known: mine },
      { eligible: tell(others, candidates.filter(isOther)), known: there.length - mine },
      minHealthy,
    )
  }

  return {
    onTargets,
    pick(candidates, request) {
      if (candidates !== told) onTargets(candidates)
      const { key, tried } = request
      const near =
        share === 1 || (share > 0 && (key === '' ? random() : murmur3(key, SPILL_SEED) / 2 ** 32) < share)
      let side = near ? own : others
      // Who has tried all of one side is helped by the other.
      if (side.list === undefined || (tried.size > 0 && side.list.every((target) => tried.has(target)))) {
        side = near ? others : own
      }
      if (side.list === undefined) side = side === own ? others : own
      return side.list === undefined ? candidates[0] : side.balancer.pick(side.list, request)
    },
    onOutcome: (target, outcome) => (isOwn(target) ? own : others).balancer.onOutcome?.(target, outcome),
  }
}
