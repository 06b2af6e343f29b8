import fp from 'fastify-plugin'
import { messageOf, written } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import type { PolicyContext } from '../upstreams/contract.ts'
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

function withoutOptions<B>(create: (context: PolicyContext) => B) {
  return (context: PolicyContext, options: object): B => {
    const unknown = Object.keys(options)
    if (unknown.length > 0) throw new TypeError(`takes no options, but "${unknown[0]}" is set; take it out`)
    return create(context)
  }
}

export default fp(
  async (app) => {
    app.upstreams.defineBalancer('round-robin', withoutOptions(roundRobin))
    app.upstreams.defineBalancer('random', withoutOptions(random))
    app.upstreams.defineBalancer('weighted', withoutOptions(weighted))

    const probes = probesFor(app.upstreams, (target) => app.targetAddress(target))
    app.addHook('onClose', async () => probes.close())
    registerLoadAware(app.upstreams, probes.ask)

    defineKeyed(app)
    balanceKeyed(app, (name) => chosen(app.gateway.upstreams[name]!.loadBalancing))

    app.checkGateway(({ upstreams }) =>
      Object.entries(upstreams).flatMap(([name, { loadBalancing }]) => {
        const { policy, options } = chosen(loadBalancing)
        // The schema has said so already.
        if (typeof policy !== 'string') return []
        const create = app.upstreams.balancers.get(policy)
        const path = written('upstreams', name, 'loadBalancing')
        if (create === undefined) {
          const message = `no balancer is named "${policy}"; ${suggestion(policy, app.upstreams.balancers.keys())}`
          return [{ path, message }]
        }
        try {
          create({ now: () => 0, random: () => 0 }, options as never)
          return []
        } catch (error) {
          return [{ path, message: messageOf(error) }]
        }
      }),
    )
  },
  { name: 'load-balancing', dependencies: ['config', 'upstreams'] },
)
