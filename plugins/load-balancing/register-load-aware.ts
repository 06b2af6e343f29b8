import type { Input } from '../config/typed.ts'
import type { UpstreamRegistry } from '../upstreams/contract.ts'
import { leastRequests } from './choose/least-requests.ts'
import { orcaWeighted } from './choose/orca-weighted.ts'
import { p2c } from './choose/p2c.ts'
import { Prequal } from './choose/prequal.ts'
import { smoothWeighted } from './choose/smooth-weighted.ts'
import {
  leastRequestsOptions,
  orcaWeightedOptions,
  p2cOptions,
  prequalOptions,
} from './load-aware-options.ts'
import type { Ask } from './prequal/probes.ts'

declare module '../upstreams/contract.ts' {
  interface BalancerOptions {
    'smooth-weighted': Record<never, never>
    'least-requests': Input<typeof leastRequestsOptions>
    p2c: Input<typeof p2cOptions>
    'orca-weighted': Input<typeof orcaWeightedOptions>
    prequal: Input<typeof prequalOptions>
  }
}

/** The balancers that look at load, and the smooth one that some of them go by. */
export function registerLoadAware(registry: UpstreamRegistry, ask: Ask): void {
  registry.defineBalancer('smooth-weighted', smoothWeighted)
  registry.defineBalancer('least-requests', leastRequests, leastRequestsOptions)
  registry.defineBalancer('p2c', p2c, p2cOptions)
  registry.defineBalancer('orca-weighted', orcaWeighted, orcaWeightedOptions)
  registry.defineBalancer('prequal', (context, options) => new Prequal(context, options, ask), prequalOptions)
}
