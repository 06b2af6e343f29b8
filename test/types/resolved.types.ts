/**
 * The types that plugins meet: the config as they read it, and what a balancer's definition is handed. Proved
 * by `tsc`; nothing here runs.
 */
import type { GatewayConfig } from '../../plugins/config/define.ts'
import { integer, object, text, withDefault } from '../../plugins/config/kit.ts'
import type { BalancerFactory, UpstreamRegistry } from '../../plugins/upstreams/contract.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function holds<T extends true>(): T | undefined {
  return undefined
}

// The config as plugins read it: units are numbers, what has a default is there, the rest may be missing.

type Upstream = GatewayConfig['upstreams'][string]
type Route = GatewayConfig['routes'][number]
type Target = Upstream['targets'][number]
holds<Equal<GatewayConfig['server']['drain'], number>>()
holds<Equal<GatewayConfig['server']['bodyLimit'], number>>()
holds<Equal<GatewayConfig['server']['trustProxy'], readonly string[]>>()
holds<Equal<GatewayConfig['logs']['access'], boolean>>()
holds<Equal<GatewayConfig['logs']['slowerThan'], number | undefined>>()
holds<Equal<GatewayConfig['samples'], readonly number[] | undefined>>()
holds<Equal<Upstream['timeouts']['connect'], number>>()
holds<Equal<Upstream['limits']['connections'], number>>()
holds<Equal<Upstream['host'], 'preserve' | 'target'>>()
holds<Equal<undefined extends Upstream['tls'] ? true : false, true>>()
holds<Equal<NonNullable<Upstream['tls']>['verify'], boolean>>()
holds<Equal<Target['weight'], number>>()
holds<Equal<Target['tier'], 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9>>()
holds<Equal<Target['origin'], string>>()
holds<Equal<Route['upstream'], string | undefined>>()
holds<Equal<Route['timeout'], number | undefined>>()
holds<Equal<Route['path'], string | RegExp>>()
holds<Equal<NonNullable<Route['mirror']>, { readonly upstream: string; readonly percent: number }>>()
holds<Equal<Route['split'], Readonly<Record<string, number>> | undefined>>()
// @ts-expect-error what Equal says is not always yes
holds<Equal<GatewayConfig['server']['drain'], number | undefined>>()

export function theConfigIsReadOnly(config: GatewayConfig): void {
  // @ts-expect-error frozen
  config.server.drain = 1
  // @ts-expect-error frozen, deep down as well
  config.upstreams.users!.targets[0]!.weight = 2
}

// A balancer's options reach the one who defines it as its schema reads them.

export function definesBalancers(registry: UpstreamRegistry): void {
  const sticky = object({ cookie: text(), ttl: withDefault(integer(), 60) })
  registry.defineBalancer(
    'types-sticky',
    (_context, options) => {
      holds<Equal<typeof options, { readonly cookie: string; readonly ttl: number }>>()
      return { pick: (candidates) => candidates[0] }
    },
    sticky,
  )
  registry.defineBalancer(
    'a-name-that-nobody-declared',
    (_context, options) => {
      holds<Equal<typeof options.ttl, number>>()
      return { pick: (candidates) => candidates[0] }
    },
    sticky,
  )
  // @ts-expect-error it was declared to have a cookie
  registry.defineBalancer('types-sticky', () => ({ pick: (candidates) => candidates[0] }), object({}))
  // @ts-expect-error options that nothing checks
  registry.defineBalancer('unchecked', (_context, _options) => ({ pick: (candidates) => candidates[0] }))
  // @ts-expect-error no policy waits
  registry.defineBalancer('later', () => ({ pick: async (candidates) => candidates[0] }))
  // @ts-expect-error nor picks nobody
  registry.defineBalancer('nobody', () => ({ pick: () => undefined }))
}

export const factory: BalancerFactory = ({ random }) => ({
  pick: (candidates) => candidates[Math.floor(random() * candidates.length)] ?? candidates[0],
})
