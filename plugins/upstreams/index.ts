import fp from 'fastify-plugin'
import type { UpstreamRegistry } from './contract.ts'
import { Quiet } from './quiet.ts'
import { Registry } from './registry.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The upstreams, and the contract through which balancers, health sources and the rest join. */
    upstreams: UpstreamRegistry
  }
}

/** Milliseconds between two lines about the same policy. */
const FAULT_TOLD_EVERY = 60_000

export default fp(
  async (app) => {
    const specs = Object.entries(app.gateway.upstreams).map(([name, { limits, ...spec }]) => [
      name,
      { ...spec, capacity: limits.connections + limits.queue, tunnels: limits.tunnels },
    ])
    const context = { now: () => performance.now(), random: () => Math.random() }
    const quiet = new Quiet(context.now, FAULT_TOLD_EVERY)
    const registry = new Registry(context, Object.fromEntries(specs), (error, who) =>
      quiet.say(who, (keptBack) => app.log.error({ err: error, keptBack }, `${who} has failed`)),
    )
    registry.onEvent(({ level, name, target, ...event }) => {
      app.log[level](
        { event: name, ...event, ...(target === undefined ? {} : { target: target.origin }) },
        name,
      )
    })
    app.decorate('upstreams', registry)
  },
  { name: 'upstreams', dependencies: ['config'] },
)
