import { read } from '../../config/validate.ts'
import type { Balancer, PolicyContext } from '../../upstreams/contract.ts'
import { keyedBalancer } from '../hash/keyed.ts'
import { MaglevTable } from '../hash/maglev-table.ts'
import { boundOf, maglevOptions } from '../hash/options.ts'

/**
 * Like keys to like targets by Maglev's table (Eisenbud et al., NSDI 2016), with bounded load (Mirrokni, Thorup,
 * Zadimoghaddam, 2016): spills to the table's next entry.
 *
 * O(1) a pick. Shares are more even than a ring's; when a target leaves, a few keys of others move too.
 */
export function maglev(context: PolicyContext, options: unknown): Balancer {
  const { tableSize, bounded } = read(maglevOptions, options)
  return keyedBalancer(context, new MaglevTable(tableSize), boundOf(bounded))
}
