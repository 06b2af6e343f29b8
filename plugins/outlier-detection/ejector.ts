import type { PolicyContext, Target, UpstreamRegistry } from '../upstreams/contract.ts'
import type { UpstreamEvent } from '../upstreams/events.ts'
import { ejectionMs, mayEject, mostEjected, oneMore, refusal } from './ejection.ts'
import type { Group, Member, Tier } from './member.ts'
import type { Finding } from './sweep.ts'

export const NAME = 'outlier-detection'

/** Takes targets out and brings them back, within the cap, and tells of it. */
export class Ejector {
  readonly #registry: Pick<UpstreamRegistry, 'changed' | 'announce'>
  readonly #context: PolicyContext
  readonly #ejected = new Set<Member>()

  constructor(registry: Pick<UpstreamRegistry, 'changed' | 'announce'>, context: PolicyContext) {
    this.#registry = registry
    this.#context = context
  }

  /** Whether a finding would have any effect. Numbers only: asked for every failure of a target that may not be ejected. */
  heeds({ tier, target, saidAt }: Member, enforce: boolean): boolean {
    if (target.draining) return false
    const { left, options } = tier.group
    if (enforce && mayEject(tier, left, options.maxEjected)) return true
    return this.#context.now() >= saidAt + options.interval
  }

  /** Something is wrong with a target: it is ejected, or it is said that it would be. True if it is ejected. */
  found(finding: Finding): boolean {
    const { member, kind, why, enforce, quickMs } = finding
    member.troubled = true
    if (member.ejection !== undefined || !this.heeds(member, enforce)) return false
    const { tier, target } = member
    const { options, left } = tier.group
    const at = this.#context.now()
    const refused = enforce ? refusal(tier, left, options.maxEjected) : 'only told, as it is not enforced'
    if (refused !== undefined) {
      member.saidAt = at
      if (!enforce || kind === 'outlier' || !this.#makeRoom(tier, refused)) {
        this.#announce(target, 'would-eject', `${why}; ${refused}`, 'warn')
        return false
      }
    }
    member.times = oneMore(member.times, options)
    const until = at + ejectionMs(member.times, options, this.#context.random, kind === 'silent')
    member.ejection = { at, until, quickMs, successes: 0 }
    tier.ejected++
    tier.group.left--
    this.#ejected.add(member)
    this.#registry.changed(target)
    this.#announce(target, 'ejected', why, 'warn')
    return true
  }

  /**
   * What fails now gives its place to the one that has been out longest: of that one nothing is known by now. Each
   * target makes room once an interval (`saidAt`), so that all are tried once and not all the time.
   */
  #makeRoom(tier: Tier, why: string): boolean {
    const { group, size, ejected } = tier
    const full = ejected >= mostEjected(size, group.options.maxEjected)
    let longest: Member | undefined
    for (const member of this.#ejected) {
      const fits = full ? member.tier === tier : member.tier.group === group
      if (!fits || member.target.draining) continue
      if (longest === undefined || (member.ejection?.at ?? 0) < (longest.ejection?.at ?? 0)) longest = member
    }
    if (longest === undefined) return false
    // It did not fail again: this ejection was not to be held against it.
    longest.times = Math.max(0, longest.times - 1)
    this.return(longest, `another one fails, and ${why}`)
    return mayEject(tier, group.left, group.options.maxEjected)
  }

  return(member: Member, why: string): void {
    this.#ejected.delete(member)
    if (!member.target.draining) {
      member.tier.ejected--
      member.tier.group.left++
    }
    member.restart(this.#context.now())
    this.#registry.changed(member.target)
    this.#announce(member.target, 'returned', why, 'info')
  }

  /** Brings back those whose time is over. */
  returnDue(now: number): void {
    for (const member of this.#ejected) {
      const { at, until } = member.ejection as NonNullable<Member['ejection']>
      if (until <= now) this.return(member, `its ${((until - at) / 1000).toFixed(1)} s are over`)
    }
  }

  /** When the next one is due (monotonic milliseconds), if any. */
  nextReturn(): number {
    let due = Number.POSITIVE_INFINITY
    for (const { ejection } of this.#ejected) due = Math.min(due, ejection?.until ?? due)
    return due
  }

  forget(member: Member): void {
    this.#ejected.delete(member)
  }

  /** Where the last target that was in has gone: the one that is due first comes back, so that the cap holds. */
  keepOne(group: Group): void {
    if (group.left > 0) return
    const [first] = [...this.#ejected]
      .filter(({ tier, target }) => tier.group === group && !target.draining)
      .toSorted((a, b) => (a.ejection?.until ?? 0) - (b.ejection?.until ?? 0))
    if (first !== undefined) this.return(first, 'no other target is left')
  }

  #announce(target: Target, name: string, why: string, level: UpstreamEvent['level']): void {
    this.#registry.announce({ name, upstream: target.upstream, target, by: NAME, why, level })
  }
}
