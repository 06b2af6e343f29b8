import type { Balancer, PolicyContext } from '../../upstreams/contract.ts'
import { AliasTable } from '../sample/alias-table.ts'

/**
 * At random by weight: P(i) = W(i) / sum of W.
 *
 * O(1) a pick, O(N) when targets change (Vose's alias method). Where all weights are 0 the targets count alike.
 */
export function weighted({ random }: PolicyContext): Balancer {
  const table = new AliasTable()
  return {
    onTargets(candidates) {
      table.build(candidates.map(({ weight }) => weight))
    },
    pick(candidates) {
      const column = Math.floor(random() * candidates.length)
      const chosen = table.at(column, random())
      return candidates[chosen] ?? candidates[0]
    },
  }
}
