import type { FastifyPluginAsync } from 'fastify'
import { decorated } from '../plugins/config/decorated.ts'

type Readiness = () => { readonly ready: boolean }
type Endpoints = { readonly live: string; readonly ready: string }

/** The gateway's own health, for the load balancer or orchestrator in front of it. */
const health: FastifyPluginAsync = async (app) => {
  // Without the plugin there is nothing to tell: `plugins/readiness` can be taken out.
  const readiness = decorated<Readiness>(app, 'readiness')
  if (readiness === undefined) return
  const { live, ready } = (app.gateway as unknown as { readonly endpoints: Endpoints }).endpoints
  app.get(live, async () => ({ status: 'up' }))
  app.get(ready, async (_request, reply) => {
    const told = readiness()
    if (!told.ready) reply.code(503).header('retry-after', '1')
    return told
  })
}

export default health
