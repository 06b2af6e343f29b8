import type { Target } from '../upstreams/contract.ts'
import { STEPS, shareStep } from './doubt.ts'
import type { Member, Tier } from './member.ts'

/**
 * How often shares are looked at while there is a doubt, in milliseconds. They fall at once and rise only now: a share
 * that followed every request would have the registry build a new snapshot for each.
 */
const REVIEW_MS = 500

/** Keeps the shares of doubted targets, relative to the best of their tier. */
export class Thinning {
  /** When shares are to be looked at again (monotonic milliseconds), if ever. */
  dueAt = Number.POSITIVE_INFINITY
  readonly #uneasy = new Set<Tier>()
  readonly #changed: (target: Target) => void

  constructor(changed: (target: Target) => void) {
    this.#changed = changed
  }

  /** A failure. Looks at the other targets only if this one's share is about to fall. */
  failed(member: Member, now: number): void {
    const { tier, doubt } = member
    doubt.failure(now)
    if (shareStep(doubt.ratio, tier.best) >= doubt.step) return
    // Others may have failed since: the best one's share is always whole.
    tier.best = best(tier, now)
    this.#watch(tier, now)
    const step = shareStep(doubt.ratio, tier.best)
    if (step < doubt.step) this.#set(member, step)
  }

  review(now: number): void {
    if (now < this.dueAt) return
    for (const tier of this.#uneasy) {
      tier.best = best(tier, now)
      let easy = tier.best === 1
      for (const member of tier.members) {
        const step = shareStep(member.doubt.ratioAt(now), tier.best)
        if (step !== member.doubt.step) this.#set(member, step)
        if (step < STEPS) easy = false
      }
      if (easy) this.#uneasy.delete(tier)
    }
    this.dueAt = this.#uneasy.size === 0 ? Number.POSITIVE_INFINITY : now + REVIEW_MS
  }

  #watch(tier: Tier, now: number): void {
    this.#uneasy.add(tier)
    if (this.dueAt === Number.POSITIVE_INFINITY) this.dueAt = now + REVIEW_MS
  }

  #set({ doubt, target }: Member, step: number): void {
    doubt.step = step
    this.#changed(target)
  }
}

/** The best ratio among those that have traffic: of one that has none, silence would say that it is perfect. */
function best({ members }: Tier, now: number): number {
  let highest = -1
  for (const member of members) {
    const { doubt } = member
    if (doubt.active(now) && member.in) highest = Math.max(highest, doubt.ratioAt(now))
  }
  return highest < 0 ? 1 : highest
}
