import type { Balancer, Candidates, LeaseRequest, PolicyContext, Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'
import { type Bound, BoundedLoad } from './bounded-load.ts'
import type { LookupTable } from './lookup-table.ts'

/** Not among the seeds of a ring's points: a key that spells a target's id is a key like any other. */
const KEY_SEED = 0x9747b28c
/** Entries that are looked at for one whose target was not tried yet, before every target is asked. */
const PATIENCE = 64

/**
 * Like keys go to like targets, by a ring or Maglev's table. A request without a key goes to a random entry, so to
 * each target by its weight. Who was tried already or has its bound reached is passed over for the next entry's.
 *
 * @param bound undefined leaves loads unbounded
 */
export function keyedBalancer(
  { now, random }: PolicyContext,
  table: LookupTable,
  bound: Bound | undefined,
): Balancer {
  const bounded = bound === undefined ? undefined : new BoundedLoad(bound, now)
  const patience = bounded?.patience ?? PATIENCE
  let told: Candidates | undefined
  let targets: readonly Target[] = []
  let weights: readonly number[] = []

  function onTargets(candidates: Candidates): void {
    told = candidates
    const same =
      candidates.length === targets.length &&
      candidates.every((target, i) => target === targets[i] && target.weight === weights[i])
    if (same) return
    targets = [...candidates]
    weights = targets.map(({ weight }) => weight)
    table.update(candidates)
    bounded?.update(table.members, table.weights)
  }

  function takes(owner: number, { tried }: LeaseRequest): boolean {
    if (tried.size > 0 && tried.has(table.members[owner] as Target)) return false
    return bounded === undefined || bounded.hasRoom(owner)
  }

  /** The entries round the table were no help, which is rare: any target with room, or else any not tried. */
  function search(first: number, request: LeaseRequest): Target {
    let fallback: Target | undefined
    for (const [i, member] of table.members.entries()) {
      if (member === undefined || !((table.weights[i] as number) > 0)) continue
      if (takes(i, request)) return member
      if (fallback === undefined && !request.tried.has(member)) fallback = member
    }
    return fallback ?? (table.members[first] as Target)
  }

  return {
    onTargets,
    ...(bounded === undefined
      ? {}
      : {
          onInflight: (target) => bounded.onInflight(target),
          onOutcome: (target, outcome) => bounded.onOutcome(target, outcome),
        }),
    pick(candidates, request) {
      if (candidates !== told) onTargets(candidates)
      const { owners } = table
      const { key, tried } = request
      let entry = key === '' ? Math.floor(random() * owners.length) : table.entry(murmur3(key, KEY_SEED))
      const first = owners[entry] as number
      if (bounded === undefined && tried.size === 0) return table.members[first] as Target
      bounded?.look()
      for (let i = Math.min(patience, owners.length); i > 0; i--) {
        const owner = owners[entry] as number
        if (takes(owner, request)) return table.members[owner] as Target
        entry = entry + 1 === owners.length ? 0 : entry + 1
      }
      return search(first, request)
    },
  }
}
