import type { Balancer, Candidates, PolicyContext } from '../../upstreams/contract.ts'

/**
 * At random by weight: P(i) = W(i) / sum of W.
 *
 * O(1) a pick, O(N) when targets change: Vose's alias method ("A linear algorithm for generating random
 * numbers with a given distribution", IEEE TSE 17(9), 1991). Where all weights are 0 the targets count alike.
 */
export function weighted({ random }: PolicyContext): Balancer {
  let keep = new Float64Array(0)
  let alias = new Uint32Array(0)

  function onTargets(candidates: Candidates): void {
    const n = candidates.length
    const sum = candidates.reduce((total, { weight }) => total + weight, 0)
    // Scaled so that the mean is 1: what a column lacks to 1 another one, above 1, fills up.
    const scaled = Float64Array.from(candidates, ({ weight }) => (sum === 0 ? 1 : (weight * n) / sum))
    keep = new Float64Array(n).fill(1)
    alias = Uint32Array.from({ length: n }, (_, i) => i)
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
  }

  return {
    onTargets,
    pick(candidates) {
      const column = Math.floor(random() * candidates.length)
      const chosen = random() < (keep[column] as number) ? column : (alias[column] as number)
      return candidates[chosen] ?? candidates[0]
    },
  }
}
