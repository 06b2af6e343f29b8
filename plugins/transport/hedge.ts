import type { Lease, Target } from '../upstreams/contract.ts'
import { hedgeAfterMs, mayHedge } from './advice.ts'
import type { Watched } from './deadlines.ts'
import type { Facts } from './facts.ts'
import type { Placing } from './placing.ts'
import type { Route } from './route.ts'
import type { Running } from './running.ts'

/** When a request is looked at first; then each time that it has waited twice as long. */
const LOOK_MS = 8
/** What is unusual by far: this long at least, and twice what most answers take. */
const FAR_MS = 100

/** What a hedge needs of the exchange that it is made for. */
export interface Hedged {
  /** Attempts under way, oldest first. */
  readonly running: readonly Running[]
  factsOf(attempt: Running, now: number): Facts
  launch(lease: Lease, kind: 'hedge'): void
}

/** Believed to fail, though it may be used where nobody better is left. */
function isDown({ standing }: Target): boolean {
  return standing === 'doubtful' || standing === 'missing'
}

/**
 * Whether another attempt is begun beside those under way: the policy says when, and whether it can be afforded.
 *
 * A second hedge, and one in a tier in reserve, are made only for what has stalled for a time that is unusual by far: a
 * hedge that takes as long as the attempt before it shows that the request is slow, and not a target.
 */
export class Hedge implements Watched {
  /** Watched: when the request is looked at. */
  deadline = Number.POSITIVE_INFINITY
  /** Watched. */
  place = -1
  /** When a hedge is due; Infinity if none is. */
  dueAt = Number.POSITIVE_INFINITY
  /** What most answers take (ms), as the policy has it; undefined if it does not know. */
  usualMs: number | undefined
  readonly #route: Route
  readonly #placing: Placing
  readonly #of: Hedged

  constructor(route: Route, placing: Placing, of: Hedged) {
    this.#route = route
    this.#placing = placing
    this.#of = of
  }

  /** An attempt begins. */
  begun(attempt: Running): void {
    const after = hedgeAfterMs(this.#route, this.#of.factsOf(attempt, attempt.startedAt))
    if (after === undefined) {
      this.#lookAt(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
      return
    }
    this.usualMs = after
    const due = this.#of.running.length > 1 ? Number.POSITIVE_INFINITY : attempt.startedAt + after
    this.#lookAt(Math.min(due, attempt.startedAt + LOOK_MS), due)
    if (this.place === -1) this.#route.hedges.watch(this)
  }

  end(): void {
    this.deadline = Number.POSITIVE_INFINITY
    if (this.place !== -1) this.#route.hedges.unwatch(this)
  }

  /** Watched. */
  expired(now: number): void {
    const slow = this.#of.running.at(-1)
    this.#lookAt(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
    if (slow === undefined) return
    const facts = this.#of.factsOf(slow, now)
    let after = hedgeAfterMs(this.#route, facts)
    if (after === undefined) return
    const waited = now - slow.startedAt
    if (this.#of.running.length > 1) after = facts.stalled ? this.#farMs : Number.POSITIVE_INFINITY
    if (waited >= after && this.#begin(slow, now, facts)) return
    // Not yet, or refused: what waits on is asked about again.
    const next = slow.startedAt + 2 * Math.max(waited, LOOK_MS / 2)
    const due = slow.startedAt + after
    if (due > now) this.#lookAt(Math.min(next, due), due)
    else this.#lookAt(next, next)
  }

  /** The target has been taken out: whoever waits only there, or at others that are, is helped at once, whatever it costs. */
  rescue(target: Target): void {
    const { running } = this.#of
    const slow = running.at(-1)
    if (slow === undefined || running.every(({ lease }) => lease.target !== target)) return
    // Asked first: how the others stand may have to be looked at anew.
    if (!this.#placing.leaves(true)) return
    const lost = ({ lease }: Running): boolean => lease.target === target || isDown(lease.target)
    if (running.every(lost)) this.#place(slow, { reserve: true }, () => true)
  }

  get #farMs(): number {
    return Math.max(FAR_MS, 2 * (this.usualMs ?? 0))
  }

  #begin(slow: Running, now: number, facts: Facts): boolean {
    const down = this.#of.running.every(({ lease }) => isDown(lease.target))
    const reserve = down || (facts.stalled && now - slow.startedAt >= this.#farMs)
    // A probe that gets no answer is helped whatever it costs, as those are that waited there before; where nobody else
    // is left, by a target that has failed already.
    const again = down && facts.stalled
    return this.#place(slow, { reserve, again }, () => again || mayHedge(this.#route, facts))
  }

  /** @param where `again`: at a target that was tried, if there is no other */
  #place(slow: Running, where: { reserve: boolean; again?: boolean }, may: () => boolean): boolean {
    try {
      this.#placing.tried(slow.lease.target)
      const left = this.#placing.leaves(where.reserve)
      if (!(left || where.again === true) || !may()) return false
      const lease = left ? this.#placing.elsewhere(where.reserve) : this.#placing.again()
      if (typeof lease === 'string') return false
      this.#of.launch(lease, 'hedge')
      return true
    } catch (error) {
      // A policy threw: the attempt that is under way goes on.
      this.#route.log.error({ err: error }, 'a hedge could not be placed')
      return false
    }
  }

  #lookAt(time: number, dueAt: number): void {
    this.deadline = time
    this.dueAt = dueAt
  }
}
