import type { Resolved } from '../../config/typed.ts'
import type { Balancer, PolicyContext } from '../../upstreams/contract.ts'
import { keyedBalancer } from '../hash/keyed.ts'
import { boundOf, type ringHashOptions } from '../hash/options.ts'
import { Ring } from '../hash/ring.ts'

/**
 * Like keys to like targets by a ring (Karger et al., STOC 1997; ketama's 160 points for each unit of weight), with
 * bounded load (Mirrokni, Thorup, Zadimoghaddam, 2016): spills to the next on the ring.
 *
 * O(log P) a pick for P points, O(1) as a rule. When a target leaves, its keys move and no others.
 */
export function ringHash(
  context: PolicyContext,
  { points, bounded }: Pick<Resolved<typeof ringHashOptions>, 'points' | 'bounded'>,
): Balancer {
  return keyedBalancer(context, new Ring(points), boundOf(bounded))
}
