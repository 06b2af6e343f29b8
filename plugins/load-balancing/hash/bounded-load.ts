import type { Outcome, Target } from '../../upstreams/contract.ts'
import { Failures } from '../load/failures.ts'

/** Targets whose failures are looked at with each pick. */
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
 * The sum in flight is told of every change, and so exact. What failures count as fades by itself: of that, up to
 * eight targets' are summed anew with each pick, and above that each one's is at most N / 8 picks old. So a pick stays
 * O(1).
 */
export class BoundedLoad {
  readonly #eps: number
  readonly #floor: number
  /** By member: (1 + eps) times its part of the weights. */
  #parts = new Float64Array(0)
  #members: readonly (Target | undefined)[] = []
  #numbers = new Map<Target, number>()
  /** By member: requests under way, and their sum. */
  #inflight = new Float64Array(0)
  #sum = 0
  /** By member: what failures count as, when it was last looked at, and the sum of that. */
  #phantoms = new Float64Array(0)
  #phantomSum = 0
  #next = 0
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
    this.#inflight = new Float64Array(members.length)
    this.#sum = 0
    for (let i = 0; i < members.length; i++) this.#count(i)
    this.#forgetFailures()
    this.#next = 0
    if (!this.#failures.idle) for (let i = 0; i < members.length; i++) this.#countFailures(i)
  }

  /** Once a pick, before the first `hasRoom`. */
  look(): void {
    if (this.#failures.idle) {
      if (this.#phantomSum > 0) this.#forgetFailures()
      return
    }
    const n = this.#members.length
    this.#at = this.#now()
    for (let i = Math.min(n, LOOKS); i > 0; i--) {
      this.#countFailures(this.#next)
      this.#next = this.#next + 1 === n ? 0 : this.#next + 1
    }
  }

  /** Whether one request more leaves the member within its bound. */
  hasRoom(member: number): boolean {
    let active = this.#count(member)
    if (!this.#failures.idle) active += this.#countFailures(member)
    // Below a bound that is no whole number is at most that number rounded up, once the request is there.
    const all = this.#sum + this.#phantomSum + 1
    return active < Math.max(this.#floor, (this.#parts[member] as number) * all)
  }

  onInflight(target: Target): void {
    const member = this.#numbers.get(target)
    if (member !== undefined) this.#count(member)
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

  /** Those that are given nothing do not make the mean of the others. */
  #count(member: number): number {
    const now = this.#parts[member] === 0 ? 0 : (this.#members[member]?.inflight ?? 0)
    this.#sum += now - (this.#inflight[member] as number)
    this.#inflight[member] = now
    return now
  }

  #countFailures(member: number): number {
    const now =
      this.#parts[member] === 0 ? 0 : Math.round(this.#failures.phantoms(member, this.#at) * PARTS) / PARTS
    this.#phantomSum += now - (this.#phantoms[member] as number)
    this.#phantoms[member] = now
    return now
  }

  #forgetFailures(): void {
    this.#phantoms = new Float64Array(this.#members.length)
    this.#phantomSum = 0
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
