import type { Balancer } from '../../upstreams/contract.ts'

/**
 * Each target in turn: S(n+1) = (S(n) + 1) mod N.
 *
 * O(1). Weights are ignored. When targets come or go the turn goes on from where it was.
 */
export function roundRobin(): Balancer {
  let turn = -1
  return {
    pick(candidates) {
      turn = (turn + 1) % candidates.length
      return candidates[turn] ?? candidates[0]
    },
  }
}
