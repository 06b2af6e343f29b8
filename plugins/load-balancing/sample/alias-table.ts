/**
 * Draws numbers 0..N-1 with P(i) = W(i) / sum of W, in O(1): Vose's alias method ("A linear algorithm for generating
 * random numbers with a given distribution", IEEE TSE 17(9), 1991). Where all weights are 0 all count alike.
 */
export class AliasTable {
  #keep = new Float64Array(0)
  #alias = new Uint32Array(0)

  /** O(N). */
  build(weights: ArrayLike<number>): void {
    const n = weights.length
    let sum = 0
    for (let i = 0; i < n; i++) sum += weights[i] as number
    // Scaled so that the mean is 1: what a column lacks to 1 another one, above 1, fills up.
    const scaled = Float64Array.from(weights, (weight) => (sum === 0 ? 1 : (weight * n) / sum))
    const keep = new Float64Array(n).fill(1)
    const alias = Uint32Array.from({ length: n }, (_, i) => i)
    const small: number[] = []
    const large: number[] = []
    for (let i = 0; i < n; i++) (scaled[i] as number) < 1 ? small.push(i) : large.push(i)
    while (small.length > 0 && large.length > 0) {
      const less = small.pop() as number
      const more = large.at(-1) as number
      keep[less] = scaled[less] as number
      alias[less] = more
      scaled[more] = (scaled[more] as number) - (1 - (scaled[less] as number))
      if ((scaled[more] as number) < 1) {
        large.pop()
        small.push(more)
      }
    }
    // What rounding leaves over in `small` is 1 but for a crumb, and keeps its column: a weight of 0, which lacks
    // a whole 1, is never among it.
    this.#keep = keep
    this.#alias = alias
  }

  /** @param level uniform in [0, 1), as `column` is in 0..N-1 */
  at(column: number, level: number): number {
    return level < (this.#keep[column] as number) ? column : (this.#alias[column] as number)
  }
}
