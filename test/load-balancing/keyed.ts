/** The hashing balancers with their options as they stand in a config: defaults are filled in, what is wrong is refused. */
import { maglev as createMaglev } from '../../plugins/load-balancing/choose/maglev.ts'
import { ringHash as createRing } from '../../plugins/load-balancing/choose/ring-hash.ts'
import { maglevOptions, ringHashOptions } from '../../plugins/load-balancing/hash/options.ts'
import { defined } from '../../plugins/upstreams/balancers.ts'
import type { Balancer, PolicyContext } from '../../plugins/upstreams/contract.ts'

export function ringHash(context: PolicyContext, options: unknown): Balancer {
  return defined(createRing, ringHashOptions).create(context, options)
}

export function maglev(context: PolicyContext, options: unknown): Balancer {
  return defined(createMaglev, maglevOptions).create(context, options)
}
