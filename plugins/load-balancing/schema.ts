import { custom, withDefault } from '../config/kit.ts'
import type { Schema } from '../config/typed.ts'
import type { BalancerOptions } from '../upstreams/contract.ts'
import { keyed, keyedProblems } from './keyed-options.ts'

type Empty<O> = Record<never, never> extends O ? true : false
/** `'random'`, or `{ policy: 'p2c', load: ... }`; the bare name only where no option is required. */
export type LoadBalancing = {
  [N in keyof BalancerOptions]:
    | (Empty<BalancerOptions[N]> extends true ? N : never)
    | ({ readonly policy: N } & BalancerOptions[N])
}[keyof BalancerOptions]

function refuse(value: unknown): string | undefined {
  if (typeof value === 'string') return undefined
  const policy = (value as { policy?: unknown } | null)?.policy
  return typeof policy === 'string'
    ? undefined
    : 'names no policy; write "round-robin" or { policy: "round-robin" }'
}

/** How a target is chosen. Default `'round-robin'`. */
const loadBalancing = withDefault(custom(refuse) as Schema<LoadBalancing>, 'round-robin')

export const schema = { upstream: { loadBalancing, ...keyed } }

export const check = keyedProblems

declare module '../config/define.ts' {
  interface UpstreamSchema {
    loadBalancing: typeof loadBalancing
  }
}
