import type { Balancer, PolicyContext } from '../../upstreams/contract.ts'

/**
 * Each target in turn: S(n+1) = (S(n) + 1) mod N, from a random one on, so that many gateways do not go round in step;
 * without a context from the first one on.
 *
 * O(1). Weights are ignored. When targets come or go the turn goes on from where it was.
 */
export function roundRobin(context?: Pick<PolicyContext, 'random'>): Balancer {
  let turn = -1
  let begun = context === undefined
  return {
    pick(candidates) {
      if (!begun && context !== undefined) {
        turn = Math.floor(context.random() * candidates.length) - 1
        begun = true
      }
      turn = (turn + 1) % candidates.length
      return candidates[turn] ?? candidates[0]
    },
  }
}
