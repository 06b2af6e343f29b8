import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, RouteOptions } from 'fastify'
import FindMyWay from 'find-my-way'
import type { RouteConfig } from '../config/define.ts'
import { INTERNAL } from '../config/route-name.ts'
import { type CompiledRoute, compileRoute } from './compile.ts'
import { Endpoints } from './endpoints.ts'
import type { Params } from './route-match.ts'

/** Whether an endpoint of the gateway itself answers a path. */
export interface LocalRoutes {
  has(method: string, path: string, host: string): boolean
  /** The routes of the config, ready to run, in its order. */
  readonly routes: readonly CompiledRoute[]
  readonly endpoints: Endpoints
}

/** Where a request keeps what the router found out about it before Fastify saw it. */
export const MATCH = Symbol('holdfast.match')
type Routed = IncomingMessage & { [MATCH]?: { readonly url: string; readonly params: Params } | Error }

/**
 * Gives each request its own path and parameters back: what Fastify was told is a number of ours. To be called
 * before any plugin is loaded, since a guard that compares paths must never be shown another one, whatever it
 * says that it depends on.
 */
export function restoreRequests(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const match = (request.raw as Routed)[MATCH]
    if (match instanceof Error) {
      // It is refused as soon as the routing's turn comes; until then it is what the client sent.
      request.raw.url = request.originalUrl
    } else if (match !== undefined) {
      request.raw.url = match.url
      request.params = match.params
    }
    done()
  })
}

/**
 * Listens to the routes that plugins and `routes/` add to Fastify, so that they go before the config's.
 * To be called before the first of them is added.
 */
export function collectLocalRoutes(app: FastifyInstance, routes: readonly RouteConfig[]): LocalRoutes {
  // By method and then by path: no text is put together for a look-up that every request makes.
  const fixed = new Map<string, Set<string>>()
  const compiled = routes.map(compileRoute)
  const endpoints = new Endpoints(compiled)
  let router: FindMyWay.Instance<FindMyWay.HTTPVersion.V1> | undefined
  app.addHook('onRoute', function (options: RouteOptions) {
    const { method, url, constraints } = options
    if (url.startsWith(INTERNAL)) return
    // A context of its own has the hooks that were there when it was made.
    if (this !== app && !app.hasDecorator('addGuard')) endpoints.tooEarly(url)
    const guarded = endpoints.routeOf([method].flat(), url)
    // A copy: who adds several endpoints may give them the same.
    if (guarded !== undefined) options.config = { ...options.config, gateway: guarded }
    for (const one of [method].flat()) {
      if (!/[:*]/.test(url) && constraints === undefined) {
        fixed.set(one, (fixed.get(one) ?? new Set()).add(url))
      } else {
        router ??= FindMyWay({ maxParamLength: 1024 })
        if (router.hasRoute(one as 'GET', url, constraints as never)) continue
        router.on(one as 'GET', url, { constraints: constraints as never }, () => {})
      }
    }
  })
  return {
    routes: compiled,
    endpoints,
    has: (method, path, host) =>
      (fixed.get(method)?.has(path) ?? false) ||
      (router?.find(method as 'GET', path, { host }) ?? null) !== null,
  }
}
