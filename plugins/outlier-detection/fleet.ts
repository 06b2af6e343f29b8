import type { Target, UpstreamRegistry } from '../upstreams/contract.ts'
import { UsualLatency } from '../upstreams/usual-latency.ts'
import { type Group, Member, type Tier } from './member.ts'
import type { OutlierDetection } from './schema.ts'

/** The members of all upstreams that are watched, counted once per change and never per request. */
export class Fleet {
  readonly #registry: Pick<UpstreamRegistry, 'upstreams'>
  readonly #now: () => number
  readonly #groups = new Map<string, Group>()
  readonly #members = new Map<Target, Member>()

  constructor(
    registry: Pick<UpstreamRegistry, 'upstreams'>,
    options: ReadonlyMap<string, OutlierDetection>,
    now: () => number,
  ) {
    this.#registry = registry
    this.#now = now
    for (const [upstream, chosen] of options) {
      this.#groups.set(upstream, { upstream, options: chosen, tiers: new Map(), left: 0, sweptAt: now() })
      this.refresh(upstream)
    }
  }

  get groups(): Iterable<Group> {
    return this.#groups.values()
  }

  member(target: Target): Member | undefined {
    return this.#members.get(target)
  }

  /** Counts the targets of an upstream anew. Undefined if it is not watched. */
  refresh(upstream: string, forget?: (gone: Member) => void): Group | undefined {
    const group = this.#groups.get(upstream)
    if (group === undefined) return undefined
    const present = new Set(this.#registry.upstreams.get(upstream)?.targets)
    for (const tier of group.tiers.values()) {
      for (const member of tier.members) {
        if (present.has(member.target)) continue
        tier.members.delete(member)
        this.#members.delete(member.target)
        forget?.(member)
      }
    }
    for (const target of present) if (!this.#members.has(target)) this.#join(group, target)
    group.left = 0
    for (const tier of group.tiers.values()) {
      const members = [...tier.members].filter(({ target }) => !target.draining)
      tier.size = members.length
      tier.ejected = members.filter(({ ejection }) => ejection !== undefined).length
      group.left += tier.size - tier.ejected
    }
    return group
  }

  #join(group: Group, target: Target): void {
    let tier = group.tiers.get(target.tier)
    if (tier === undefined) {
      tier = {
        tier: target.tier,
        group,
        members: new Set(),
        size: 0,
        ejected: 0,
        best: 1,
        youngestAnswered: Number.NEGATIVE_INFINITY,
        usual: new UsualLatency(),
      } satisfies Tier
      group.tiers.set(target.tier, tier)
    }
    const member = new Member(target, tier, this.#now())
    tier.members.add(member)
    this.#members.set(target, member)
  }
}
