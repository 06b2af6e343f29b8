import type { Resolved } from '../../config/typed.ts'
import type { Balancer, PolicyContext } from '../../upstreams/contract.ts'
import { keyedBalancer } from '../hash/keyed.ts'
import { MaglevTable } from '../hash/maglev-table.ts'
import { boundOf, type maglevOptions } from '../hash/options.ts'

/**
 * Like keys to like targets by Maglev's table (Eisenbud et al., NSDI 2016), with bounded load (Mirrokni, Thorup,
 * Zadimoghaddam, 2016): spills to the table's next entry.
 *
 * O(1) a pick. Shares are more even than a ring's; when a target leaves, a few keys of others move too.
 */
export function maglev(
  context: PolicyContext,
  { tableSize, bounded }: Pick<Resolved<typeof maglevOptions>, 'tableSize' | 'bounded'>,
): Balancer {
  return keyedBalancer(context, new MaglevTable(tableSize), boundOf(bounded))
}
