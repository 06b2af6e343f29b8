import fp from 'fastify-plugin'
import { written } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import { random } from './choose/random.ts'
import { roundRobin } from './choose/round-robin.ts'
import { weighted } from './choose/weighted.ts'
import { probesFor } from './prequal/probe-client.ts'
import { balanceKeyed, defineKeyed } from './register-keyed.ts'
import { registerLoadAware } from './register-load-aware.ts'
import type { LoadBalancing } from './schema.ts'

declare module '../upstreams/contract.ts' {
  interface BalancerOptions {
    'round-robin': Record<never, never>
    random: Record<never, never>
    weighted: Record<never, never>
  }
}

function chosen(loadBalancing: LoadBalancing): { policy: string; options: object } {
  if (typeof loadBalancing === 'string') return { policy: loadBalancing, options: {} }
  const { policy, ...options } = { ...(loadBalancing as { policy: string }) }
  return { policy, options }
}

/** A path within a place, as it stands in the file. */
function within(place: string, path: string): string {
  return path === '' || path.startsWith('[') ? `${place}${path}` : `${place}.${path}`
}

export default fp(
  async (app) => {
    app.upstreams.defineBalancer('round-robin', roundRobin)
    app.upstreams.defineBalancer('random', random)
    app.upstreams.defineBalancer('weighted', weighted)

    const probes = probesFor(app.upstreams, (target) => ({
      ...app.targetAddress(target),
      http2: app.gateway.upstreams[target.upstream]!.http2,
    }))
    app.addHook('onClose', async () => probes.close())
    registerLoadAware(app.upstreams, probes.ask)

    defineKeyed(app)
    balanceKeyed(app, (name) => chosen(app.gateway.upstreams[name]!.loadBalancing))

    app.checkGateway(({ upstreams }) =>
      Object.entries(upstreams).flatMap(([name, { loadBalancing }]) => {
        const { policy, options } = chosen(loadBalancing)
        // The schema has said so already.
        if (typeof policy !== 'string') return []
        const balancer = app.upstreams.balancers.get(policy)
        const path = written('upstreams', name, 'loadBalancing')
        if (balancer === undefined) {
          const message = `no balancer is named "${policy}"; ${suggestion(policy, app.upstreams.balancers.keys())}`
          return [{ path, message }]
        }
        return balancer.problems(options).map((problem) => ({ ...problem, path: within(path, problem.path) }))
      }),
    )
  },
  { name: 'load-balancing', dependencies: ['config', 'upstreams'] },
)
