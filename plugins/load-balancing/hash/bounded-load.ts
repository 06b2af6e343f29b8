import type { Target } from '../../upstreams/contract.ts'

/** Figures that are looked at with each pick. */
const LOOKS = 8

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016, arXiv:1608.01350): no target is given
 * a request that would put it above (1 + eps) times the mean in flight, rounded up; the mean counts that request, and
 * each target by its weight. Such a request spills over to the next target of its key.
 *
 * The sum in flight is not counted with each pick: up to eight targets it is exact, above that each target's figure
 * is at most N / 8 picks old (and exact when the target itself is asked for). So a pick stays O(1).
 */
export class BoundedLoad {
  readonly #eps: number
  /** By member: (1 + eps) times its part of the weights. */
  #parts = new Float64Array(0)
  #counted = new Float64Array(0)
  #members: readonly (Target | undefined)[] = []
  #sum = 0
  #next = 0

  /** @param eps above 0 */
  constructor(eps: number) {
    this.#eps = eps
  }

  /** Who there is now, and what each weighs; where there are holes, 0. */
  update(members: readonly (Target | undefined)[], weights: readonly number[]): void {
    const sum = weights.reduce((total, weight) => total + weight, 0)
    this.#members = members
    this.#parts = Float64Array.from(weights, (weight) => ((1 + this.#eps) * weight) / sum)
    this.#counted = new Float64Array(members.length)
    this.#sum = 0
    this.#next = 0
    for (let i = 0; i < members.length; i++) this.#count(i)
  }

  /** Once a pick, before the first `hasRoom`. */
  look(): void {
    const n = this.#members.length
    for (let i = Math.min(n, LOOKS); i > 0; i--) {
      this.#count(this.#next)
      this.#next = this.#next + 1 === n ? 0 : this.#next + 1
    }
  }

  /** Whether one request more leaves the member within its bound. */
  hasRoom(member: number): boolean {
    // Below a bound that is no whole number is at most that number rounded up, once the request is there.
    return this.#count(member) < (this.#parts[member] as number) * (this.#sum + 1)
  }

  /** Entries that are tried before every target is asked: as many as make it a matter of 1 in 8 million. */
  get patience(): number {
    // At most 1 / (1 + eps) of the weight can be full, since together they hold no more than there is.
    return Math.ceil(16 * (1 + 1 / this.#eps))
  }

  #count(member: number): number {
    // Those that are given nothing do not make the mean of the others.
    const inflight = this.#parts[member] === 0 ? 0 : (this.#members[member]?.inflight ?? 0)
    this.#sum += inflight - (this.#counted[member] as number)
    this.#counted[member] = inflight
    return inflight
  }
}
