import type { Candidates, Target } from '../../upstreams/contract.ts'
import { AliasTable } from './alias-table.ts'

/** Draws for a second target before the first one is taken after all. */
const DRAWS = 4

/**
 * Draws numbers of targets by weight: P(i) = W(i) / sum of W. O(1) a draw, one throw of the dice each; O(N) when
 * targets change. Where all weights are 0 the targets count alike.
 */
export class Sampler {
  readonly #random: () => number
  readonly #table = new AliasTable()
  #uniform = true
  #size = 0
  #perWeight = new Float64Array(0)

  constructor(random: () => number) {
    this.#random = random
  }

  get size(): number {
    return this.#size
  }

  onTargets(candidates: Candidates): void {
    const n = candidates.length
    const weights = new Float64Array(n)
    let sum = 0
    for (let i = 0; i < n; i++) {
      const { weight } = candidates[i] as Target
      weights[i] = weight
      sum += weight
    }
    this.#uniform = weights.every((weight) => weight === weights[0])
    this.#size = n
    this.#perWeight = weights.map((weight) => (this.#uniform ? 1 : sum / n / weight))
    if (!this.#uniform) this.#table.build(weights)
  }

  /** Mean weight / weight of this one: 1 where all are alike. */
  perWeight(i: number): number {
    return this.#perWeight[i] as number
  }

  draw(): number {
    const n = this.#size
    const at = this.#random() * n
    const column = Math.floor(at)
    return this.#uniform ? column : this.#table.at(column, at - column)
  }

  /** Another one than `first`; `first` itself if it has nearly all the weight or there is no other. */
  drawOther(first: number): number {
    const n = this.#size
    if (n === 1) return first
    if (this.#uniform) {
      const other = Math.floor(this.#random() * (n - 1))
      return other < first ? other : other + 1
    }
    let other = this.draw()
    for (let i = 1; other === first && i < DRAWS; i++) other = this.draw()
    return other
  }
}
