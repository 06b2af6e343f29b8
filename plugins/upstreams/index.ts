import fp from 'fastify-plugin'
import type { UpstreamRegistry } from './contract.ts'
import { Registry } from './registry.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The upstreams, and the contract through which balancers, health sources and the rest join. */
    upstreams: UpstreamRegistry
  }
}

export default fp(
  async (app) => {
    const specs = Object.entries(app.gateway.upstreams).map(([name, { targets, limits }]) => [
      name,
      { targets, capacity: limits.connections + limits.queue },
    ])
    const context = { now: () => performance.now(), random: () => Math.random() }
    app.decorate('upstreams', new Registry(context, Object.fromEntries(specs)))
  },
  { name: 'upstreams', dependencies: ['config'] },
)
