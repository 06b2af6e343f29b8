import type { UpstreamRegistry } from '../upstreams/contract.ts'
import type { Limit } from './limit.ts'
import type { LocalStore } from './local-store.ts'
import type { SharedStore } from './shared-store.ts'
import type { Tally } from './tally.ts'

/** What counts: only known once the server is ready. */
interface Stores {
  /** In this process. */
  readonly local: LocalStore
  readonly shared: SharedStore | undefined
}

/** Shows what the limits did. */
export function measureLimits(
  registry: Pick<UpstreamRegistry, 'measure'>,
  limits: readonly Limit[],
  tally: Tally,
  stores: () => Stores,
): void {
  registry.measure({
    name: 'rate_limit_decisions_total',
    help: 'What limits decided, by limit, route and result; the route is empty where none took the request.',
    type: 'counter',
    labels: ['limit', 'route', 'result'],
    collect: (add) => tally.collect(add),
  })
  registry.measure({
    name: 'rate_limit_strangers_total',
    help: 'Requests that were counted together with others, since the table of their limit was full.',
    type: 'counter',
    labels: ['limit'],
    collect(add) {
      const { local } = stores()
      for (const limit of limits) add(local.strangers(limit), limit.id)
    },
  })
  registry.measure({
    name: 'rate_limit_table_bytes',
    help: 'Memory of the tables of all limits in this process.',
    type: 'gauge',
    labels: [],
    collect: (add) => add(stores().local.bytes),
  })
  registry.measure({
    name: 'rate_limit_fallbacks_total',
    help: 'Requests that were decided in this process since Redis did not answer in time.',
    type: 'counter',
    labels: [],
    collect: (add) => add(stores().shared?.fallbacks ?? 0),
  })
}
