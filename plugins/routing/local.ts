import type { FastifyInstance, RouteOptions } from 'fastify'
import FindMyWay from 'find-my-way'

/** Whether an endpoint of the gateway itself answers a path. */
export interface LocalRoutes {
  has(method: string, path: string, host: string): boolean
}

/** Under this, Fastify finds what our router has found already. No client's path gets there. */
export const INTERNAL = '/~holdfast/'

/**
 * Listens to the routes that plugins and `routes/` add to Fastify, so that they go before the config's.
 * To be called before the first of them is added.
 */
export function collectLocalRoutes(app: FastifyInstance): LocalRoutes {
  const fixed = new Set<string>()
  let router: FindMyWay.Instance<FindMyWay.HTTPVersion.V1> | undefined
  app.addHook('onRoute', ({ method, url, constraints }: RouteOptions) => {
    if (url.startsWith(INTERNAL)) return
    for (const one of [method].flat()) {
      if (!/[:*]/.test(url) && constraints === undefined) {
        fixed.add(`${one} ${url}`)
      } else {
        router ??= FindMyWay({ maxParamLength: 1024 })
        if (router.hasRoute(one as 'GET', url, constraints as never)) continue
        router.on(one as 'GET', url, { constraints: constraints as never }, () => {})
      }
    }
  })
  return {
    has: (method, path, host) =>
      fixed.has(`${method} ${path}`) || (router?.find(method as 'GET', path, { host }) ?? null) !== null,
  }
}
