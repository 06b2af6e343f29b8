import type { Outcome, Target } from '../../upstreams/contract.ts'
import { Failures } from '../load/failures.ts'

/** Figures that are looked at with each pick. */
const LOOKS = 8
/** Failures count in such parts of a request, so that sums of them are exact. */
const PARTS = 16

export interface Bound {
  /** Above 0. */
  readonly eps: number
  /** A target with fewer under way than this has room, whatever the mean. */
  readonly floor: number
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016, arXiv:1608.01350): no target is given
 * a request that would put it above max(floor, (1 + eps) times the mean in flight), rounded up; the mean counts that
 * request, and each target by its weight. Such a request spills over to the next target of its key. The floor is ours:
 * a gateway that has less than one request under way at a target would else send the second one elsewhere at once.
 *
 * Failures count as requests under way for a while (see `Failures`): who fails at once has none, and would always
 * have room for what spills over.
 *
 * The sum in flight is not counted with each pick: up to eight targets it is exact, above that each target's figure
 * is at most N / 8 picks old (and exact when the target itself is asked for). So a pick stays O(1).
 */
export class BoundedLoad {
  readonly #eps: number
  readonly #floor: number
  /** By member: (1 + eps) times its part of the weights. */
  #parts = new Float64Array(0)
  #counted = new Float64Array(0)
  #members: readonly (Target | undefined)[] = []
  #sum = 0
  #next = 0
  #numbers = new Map<Target, number>()
  readonly #failures = new Failures()
  readonly #now: () => number
  #at = 0

  constructor({ eps, floor }: Bound, now: () => number) {
    this.#eps = eps
    this.#floor = floor
    this.#now = now
  }

  /** Who there is now, and what each weighs; where there are holes, 0. */
  update(members: readonly (Target | undefined)[], weights: readonly number[]): void {
    const sum = weights.reduce((total, weight) => total + weight, 0)
    this.#members = members
    this.#carry(members)
    this.#parts = Float64Array.from(weights, (weight) => ((1 + this.#eps) * weight) / sum)
    this.#counted = new Float64Array(members.length)
    this.#sum = 0
    this.#next = 0
    for (let i = 0; i < members.length; i++) this.#count(i)
  }

  /** Once a pick, before the first `hasRoom`. */
  look(): void {
    const n = this.#members.length
    if (!this.#failures.idle) this.#at = this.#now()
    for (let i = Math.min(n, LOOKS); i > 0; i--) {
      this.#count(this.#next)
      this.#next = this.#next + 1 === n ? 0 : this.#next + 1
    }
  }

  /** Whether one request more leaves the member within its bound. */
  hasRoom(member: number): boolean {
    // Below a bound that is no whole number is at most that number rounded up, once the request is there.
    return this.#count(member) < Math.max(this.#floor, (this.#parts[member] as number) * (this.#sum + 1))
  }

  onOutcome(target: Target, outcome: Outcome): void {
    const member = this.#numbers.get(target)
    if (member === undefined || outcome.kind === 'abandoned') return
    this.#at = this.#now()
    this.#failures.record(member, outcome, this.#at)
  }

  /** Entries that are tried before every target is asked: as many as make it a matter of 1 in 8 million. */
  get patience(): number {
    // At most 1 / (1 + eps) of the weight can be full, since together they hold no more than there is.
    return Math.ceil(16 * (1 + 1 / this.#eps))
  }

  #count(member: number): number {
    // Those that are given nothing do not make the mean of the others.
    const active = this.#parts[member] === 0 ? 0 : this.#active(member)
    this.#sum += active - (this.#counted[member] as number)
    this.#counted[member] = active
    return active
  }

  #active(member: number): number {
    const inflight = this.#members[member]?.inflight ?? 0
    if (this.#failures.idle) return inflight
    return inflight + Math.round(this.#failures.phantoms(member, this.#at) * PARTS) / PARTS
  }

  #carry(members: readonly (Target | undefined)[]): void {
    const from = Int32Array.from(members, (target) =>
      target === undefined ? -1 : (this.#numbers.get(target) ?? -1),
    )
    this.#failures.onTargets(from)
    this.#numbers = new Map()
    for (const [i, target] of members.entries()) if (target !== undefined) this.#numbers.set(target, i)
  }
}
