import type { FastifyPluginAsync } from 'fastify'

/** The gateway's own health, for the load balancer or orchestrator in front of it. */
const health: FastifyPluginAsync = async (app) => {
  // Without the plugin there is nothing to tell: `plugins/readiness` can be taken out.
  if (!app.hasDecorator('readiness')) return
  const { live, ready } = app.gateway.endpoints
  app.get(live, async () => ({ status: 'up' }))
  app.get(ready, async (_request, reply) => {
    const readiness = app.readiness()
    if (!readiness.ready) reply.code(503).header('retry-after', '1')
    return readiness
  })
}

export default health
