import type { Balancer, PolicyContext } from '../../upstreams/contract.ts'

/**
 * Each target in turn: S(n+1) = (S(n) + 1) mod N, from a random one on, so that many gateways do not go round in step.
 *
 * O(1). Weights are ignored. When targets come or go the turn goes on from where it was.
 */
export function roundRobin({ random }: Pick<PolicyContext, 'random'>): Balancer {
  let turn: number | undefined
  return {
    pick(candidates) {
      const { length } = candidates
      turn = turn === undefined ? Math.floor(random() * length) : (turn + 1) % length
      return candidates[turn] ?? candidates[0]
    },
  }
}
