import type { Target } from '../upstreams/contract.ts'
import type { Collector } from '../upstreams/measures.ts'
import type { Memory } from './memory.ts'
import type { OpenTunnels } from './open-tunnels.ts'
import type { TargetPool } from './pools.ts'

/** What the transport shows of its connections and of the memory for bodies. */
export function transportCollectors(
  pools: ReadonlyMap<Target, TargetPool>,
  memory: Memory,
  tunnels: OpenTunnels,
  slowClients: ReadonlyMap<string, number>,
  mirrored: ReadonlyMap<string, number>,
): Collector[] {
  const ofPools = (
    name: string,
    help: string,
    numberOf: (stats: TargetPool['pool']['stats']) => number,
  ): Collector => ({
    name,
    help,
    type: 'gauge',
    labels: ['upstream', 'target'],
    collect(add) {
      for (const [{ upstream, origin }, { pool }] of pools) add(numberOf(pool.stats), upstream, origin)
    },
  })
  const byUpstream = (name: string, help: string, counts: ReadonlyMap<string, number>): Collector => ({
    name,
    help,
    type: 'counter',
    labels: ['upstream'],
    collect(add) {
      for (const [upstream, count] of counts) add(count, upstream)
    },
  })
  const single = (name: string, type: Collector['type'], help: string, value: () => number): Collector => ({
    name,
    help,
    type,
    labels: [],
    collect: (add) => add(value()),
  })
  return [
    ofPools('pool_connections', 'Connections to the target that are open.', ({ connected }) => connected),
    ofPools('pool_idle_connections', 'Those of them that no request uses.', ({ free }) => free),
    ofPools(
      'pool_queued_requests',
      'Requests that wait for a connection to the target.',
      ({ queued }) => queued,
    ),
    byUpstream(
      'slow_clients_cut_total',
      'Clients that were cut off because they were slow while others waited for a connection.',
      slowClients,
    ),
    byUpstream(
      'mirrored_requests_total',
      'Copies of requests that were sent to the upstream; each is an attempt of no request.',
      mirrored,
    ),
    single('body_memory_bytes', 'gauge', 'Memory that bodies held whole take.', () => memory.used),
    single('body_memory_limit_bytes', 'gauge', 'What they may take at most.', () => memory.size),
    single(
      'tunnels_open',
      'gauge',
      'Upgraded connections that are open, WebSockets say.',
      () => tunnels.open,
    ),
    single('tunnels_total', 'counter', 'Upgrades that a target has agreed to.', () => tunnels.total),
    byUpstream(
      'tunnels_idle_closed_total',
      'Tunnels that were closed because nothing passed through them any more.',
      tunnels.idle,
    ),
  ]
}
