import type { Balancer, PolicyContext } from '../../upstreams/contract.ts'

/**
 * A uniform step from the last one: S(n+1) = (S(n) + R) mod N, R uniform in 0..N-1; so every target is
 * equally likely, whatever came before.
 *
 * O(1). Weights are ignored.
 */
export function random({ random }: PolicyContext): Balancer {
  let last = 0
  return {
    pick(candidates) {
      const step = Math.floor(random() * candidates.length)
      last = (last + step) % candidates.length
      return candidates[last] ?? candidates[0]
    },
  }
}
