import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Lookalikes } from './lookalikes.ts'
import { overridesOf } from './methods.ts'

type Route = FastifyInstance['compiledRoutes'][number]

/** Refuses look-alikes on the routes of a gateway, and tells at the start of what is easily overlooked in them. */
export function refuseLookalikes(app: FastifyInstance): void {
  const lookalikes = new Lookalikes<Route>(app.compiledRoutes)
  const asked = (facts: Pick<IncomingMessage, 'url' | 'method' | 'headers' | 'rawHeaders'>) =>
    facts as IncomingMessage
  app.addGuard({
    name: 'lookalikes',
    stage: 'authorize',
    forRoute(route) {
      if (!lookalikes.concerns(route)) return undefined
      return ({ url, raw, method, headers, sentTarget }) => {
        const question = url.indexOf('?')
        const path = question < 0 ? url : url.slice(0, question)
        // Routes may ask for a parameter that is a secret, and not in the url any more.
        const sent = sentTarget.indexOf('?')
        const query = sent < 0 ? '' : sentTarget.slice(sent)
        const { rawHeaders } = raw
        lookalikes.check(route, path, overridesOf({ url, headers }), (other, folded, as = method) => {
          const facts = asked({ url: other + query, method: as, headers, rawHeaders })
          return app.routeReadAs(facts, folded)
        })
      }
    },
  })
  app.addHook('onReady', async () => {
    for (const [route, other] of lookalikes.clashes()) {
      app.log.warn(
        { route: route.name, other: other.name },
        'all requests of a route are refused: its path is another one’s but for capitals, which demands something else',
      )
    }
    const gaps = lookalikes.gaps((host, url, method) =>
      app.routeOf(asked({ url, method, headers: { host }, rawHeaders: [] })),
    )
    for (const { guarded, other, methods } of gaps) {
      app.log.warn(
        { route: guarded.name, other: other.name, methods },
        'a guarded route does not take all that comes under its path: it goes to another one, which demands nothing',
      )
    }
  })
}
