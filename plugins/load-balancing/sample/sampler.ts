import type { Candidates, Target } from '../../upstreams/contract.ts'

/**
 * Draws numbers of targets by weight: P(i) = W(i) / sum of W. Targets lie side by side on [0, 1), each on an arc as long
 * as its part of the weight, and a guide table says where to begin looking for a place on it (Chen and Asau, "On
 * generating random variates from an empirical distribution", AIIE Transactions 6(2), 1974). O(1) a draw on average,
 * one throw of the dice each; O(N) when targets change. Where all weights are 0 the targets count alike.
 */
export class Sampler {
  readonly #random: () => number
  #uniform = true
  #size = 0
  #perWeight = new Float64Array(0)
  /** Where each one's arc ends. */
  #ends = new Float64Array(0)
  /** By n-th of the line: the first arc that reaches into it. */
  #guide = new Int32Array(0)

  constructor(random: () => number) {
    this.#random = random
  }

  /** Whether all weigh the same. */
  get uniform(): boolean {
    return this.#uniform
  }

  get size(): number {
    return this.#size
  }

  onTargets(candidates: Candidates): void {
    const n = candidates.length
    const weights = Float64Array.from(candidates, ({ weight }: Target) => weight)
    const sum = weights.reduce((total, weight) => total + weight, 0)
    this.#uniform = weights.every((weight) => weight === weights[0])
    this.#size = n
    this.#perWeight = weights.map((weight) => (this.#uniform ? 1 : sum / n / weight))
    if (!this.#uniform) this.#lay(weights, sum)
  }

  #lay(weights: Float64Array, sum: number): void {
    const n = weights.length
    let before = 0
    this.#ends = weights.map((weight) => {
      before += weight
      return before / sum
    })
    // Rounding leaves no crumb behind the last one that has weight.
    this.#ends.fill(
      1,
      weights.findLastIndex((weight) => weight > 0),
    )
    let arc = 0
    this.#guide = Int32Array.from({ length: n }, (_, part) => {
      while ((this.#ends[arc] as number) <= part / n) arc++
      return arc
    })
  }

  /** Mean weight / weight of this one: 1 where all are alike. */
  perWeight(i: number): number {
    return this.#perWeight[i] as number
  }

  /** By how much more a request counts at the one than at the other, by weight; less than that is no difference in load. */
  margin(one: number, other: number): number {
    return Math.abs(this.perWeight(one) - this.perWeight(other))
  }

  draw(): number {
    const at = this.#random()
    return this.#uniform ? Math.floor(at * this.#size) : this.#lying(at)
  }

  /** Another one than `first`, by weight among the others; `first` itself if no other has weight. */
  drawOther(first: number): number {
    const n = this.#size
    if (n === 1) return first
    if (this.#uniform) {
      const other = Math.floor(this.#random() * (n - 1))
      return other < first ? other : other + 1
    }
    const end = this.#ends[first] as number
    const at = end + this.#random() * (1 - this.part(first))
    return this.#lying(at < 1 ? at : at - 1)
  }

  /**
   * Of requests drawn for `first` the part (0..1) that may move to `other`, drawn by `drawOther`, so that as many move
   * from one to the other as back where nothing else tells them apart: each then has its part of all (Metropolis and
   * Hastings' rule: Hastings, "Monte Carlo sampling methods using Markov chains", Biometrika 57(1), 1970). 1 where
   * `other` has no less weight, and next to 1 where nobody has a large part of all.
   */
  moving(first: number, other: number): number {
    if (this.#uniform) return 1
    return Math.min(1, (1 - this.part(first)) / (1 - this.part(other)))
  }

  /** Of the weight of all (0..1). */
  part(i: number): number {
    return 1 / (this.perWeight(i) * this.#size)
  }

  #lying(at: number): number {
    let arc = this.#guide[Math.floor(at * this.#size)] as number
    while ((this.#ends[arc] as number) <= at) arc++
    return arc
  }
}
