import type { Input } from '../config/typed.ts'
import { read } from '../config/validate.ts'
import type { UpstreamRegistry } from '../upstreams/contract.ts'
import { leastRequests } from './choose/least-requests.ts'
import { orcaWeighted } from './choose/orca-weighted.ts'
import { p2c } from './choose/p2c.ts'
import { Prequal } from './choose/prequal.ts'
import { smoothWeighted } from './choose/smooth-weighted.ts'
import {
  leastRequestsOptions,
  noOptions,
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
  registry.defineBalancer('smooth-weighted', (context, options) => {
    read(noOptions, options)
    return smoothWeighted(context)
  })
  registry.defineBalancer('least-requests', (context, options) =>
    leastRequests(context, read(leastRequestsOptions, options)),
  )
  registry.defineBalancer('p2c', (context, options) => p2c(context, read(p2cOptions, options)))
  registry.defineBalancer('orca-weighted', (context, options) =>
    orcaWeighted(context, read(orcaWeightedOptions, options)),
  )
  registry.defineBalancer(
    'prequal',
    (context, options) => new Prequal(context, read(prequalOptions, options), ask),
  )
}
