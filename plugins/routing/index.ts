import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { INTERNAL } from '../config/route-name.ts'
import { GatewayError } from '../upstreams/errors.ts'
import type { Identity } from '../upstreams/identity.ts'
import type { CompiledRoute } from './compile.ts'
import { AMBIGUOUS, factsOf, findRoute, hideStrangeType, type Matched, NO_MATCH, notAllowed } from './find.ts'
import { foldedRouter } from './fold-case.ts'
import { type Guard, type GuardSpec, guardsByRoute, runGuards } from './guards.ts'
import { handlerOf } from './handlers.ts'
import { type LocalRoutes, MATCH } from './local.ts'
import { Splits } from './split.ts'
import { sentTarget, takeQuery } from './take-query.ts'
import { serveUpgrades } from './upgrade.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The address under which Fastify finds the route of a request. Called for each, before anything else. */
    routeUrl(raw: IncomingMessage): string
    /** The route of the config that takes a request; undefined where none does. Before Fastify has seen it, or instead. */
    routeOf(raw: IncomingMessage): CompiledRoute | undefined
    /**
     * The same for another reading of a request, whose path stands for what an upstream may take it for. Throws a
     * `GatewayError` if it hangs on a header, parameter or cookie that has come several times.
     * @param folded as servers read it that do not tell capitals in paths from small letters
     */
    routeReadAs(raw: IncomingMessage, folded: boolean): CompiledRoute | undefined
    /**
     * Names of query parameters that are secrets, on whatever route: they are taken out of every request before anybody
     * sees it, and so are neither forwarded nor logged. `request.takeQuery` has their values. Before the server is ready.
     */
    secretParameters: Set<string>
    /** Names of request headers that hold credentials whatever they are called: never logged. Before the server is ready. */
    secretHeaders: Set<string>
    /** Puts something before the requests of routes: who may come in, and how often. Throws once the server is ready. */
    addGuard(guard: GuardSpec): void
    /**
     * Adds the routes of the config to Fastify. To be called once, when all plugins are loaded: routes have the error
     * handler and the request decorators that were there when they were added.
     */
    serveRoutes(): Promise<void>
    /** The routes of the config, in its order. */
    compiledRoutes: readonly CompiledRoute[]
    /**
     * Sends the next requests of a route to these upstreams, by these shares; undefined goes back to what the config
     * says. Lost on a restart. Throws if there is no such route or upstream, or no share is above 0. What it returns
     * goes back to how it was before, unless it has been set anew since: then it returns false.
     */
    setSplit(route: string, shares: Readonly<Record<string, number>> | undefined): () => boolean
    /** Parts of the whole that go to each upstream now, whoever has set them; none of a route that forwards nothing. */
    splitOf(route: CompiledRoute): ReadonlyMap<string, number>
  }
  interface FastifyRequest {
    /** Who it comes from; null until authentication has said so. */
    identity: Identity | null
    /**
     * Takes a parameter out of the query, so that it is not forwarded and, if the request comes so far, not logged; for
     * secrets see `app.secretParameters`. Returns its values, decoded.
     */
    takeQuery(name: string): readonly string[]
    /** It is a CORS preflight that a guard of its route answers: it has come by the method that it asks for. */
    readonly isPreflight: boolean
    /** The request target as the client has sent it, secrets and all: to be checked against, never logged or passed on. */
    readonly sentTarget: string
  }
  interface FastifyContextConfig {
    /** The route of the config that this Fastify route stands for. */
    gateway?: CompiledRoute
  }
}

function isPreflight(raw: Matched): boolean {
  const match = raw[MATCH]
  return match !== undefined && !(match instanceof GatewayError) && match.preflight
}

/** What no guard has answered must not be forwarded: it was routed by another method than its own. */
function refusePreflight({ method }: FastifyRequest, done: (error?: Error) => void) {
  return (error?: Error): void => done(error ?? notAllowed(method))
}

export default fp<{ local: LocalRoutes }>(
  async (app, { local }) => {
    const { routes } = local
    const guards: GuardSpec[] = []
    const preflights = new Set<number>()
    let unrouted: readonly Guard[] = []
    let guarded: ReturnType<typeof guardsByRoute> | undefined
    app.decorate('compiledRoutes', routes)
    const splits = new Splits(app.upstreams.upstreams)
    app.decorate('setSplit', splits.set.bind(splits))
    app.decorate('splitOf', ({ config }) => splits.partsOf(config))
    app.decorateRequest('identity', null)
    app.decorateRequest('takeQuery', function (name) {
      return takeQuery(this, name)
    })
    app.decorateRequest('sentTarget', {
      getter() {
        return sentTarget(this.raw) ?? this.originalUrl
      },
    })
    app.decorateRequest('isPreflight', {
      getter() {
        return isPreflight(this.raw)
      },
    })
    const secrets = new Set<string>()
    app.decorate('secretParameters', secrets)
    app.decorate('secretHeaders', new Set<string>())
    app.decorate('addGuard', (guard) => {
      if (guarded !== undefined)
        throw new Error(`the guard "${guard.name}" comes too late: the server is ready`)
      guards.push(guard)
    })
    app.addHook('onReady', async () => {
      guarded = guardsByRoute(guards, routes)
      unrouted = guards.flatMap((guard) => guard.forUnrouted?.() ?? [])
      for (const [index, route] of routes.entries()) {
        if (guards.some((guard) => guard.answersPreflight?.(route))) preflights.add(index)
      }
    })
    const { encodedSlash } = app.gateway.server
    const routeUrl = findRoute(encodedSlash, routes, local, preflights, secrets)
    app.decorate('routeUrl', routeUrl)
    app.decorate('routeOf', (raw) => {
      const at = routeUrl(raw)
      return at.startsWith(INTERNAL) ? routes[Number.parseInt(at.slice(INTERNAL.length), 10)] : undefined
    })
    let inAnyCase: ReturnType<typeof foldedRouter> | undefined
    app.decorate('routeReadAs', (raw: Matched, folded) => {
      if (!folded) {
        const route = app.routeOf(raw)
        if (raw[MATCH] === AMBIGUOUS) throw AMBIGUOUS
        return route
      }
      const facts = factsOf(raw, raw.url ?? '/', encodedSlash)
      inAnyCase ??= foldedRouter(routes)
      return facts instanceof GatewayError ? undefined : inAnyCase(facts)
    })
    serveUpgrades(app, (raw) => {
      const config = app.routeOf(raw)?.config
      return config?.upstream === undefined && config?.split === undefined ? undefined : config.upgrade
    })

    // Here, after the access log, what no route takes is refused.
    app.addHook('onRequest', (request, reply, done) => {
      const match = (request.raw as Matched)[MATCH]
      if (match instanceof GatewayError) {
        return runGuards(unrouted, request, reply, (error) => done(error ?? match))
      }
      if (match !== undefined) hideStrangeType(request.raw)
      const route = request.routeOptions.config.gateway
      const guards = route === undefined ? undefined : guarded?.get(route)
      if (guards === undefined || guards.length === 0) return done()
      runGuards(guards, request, reply, isPreflight(request.raw) ? refusePreflight(request, done) : done)
    })

    app.checkGateway(() => local.endpoints.problems())
    app.decorate('serveRoutes', async () => {
      await app.register(async (scope) => {
        // Bodies pass through unread: the exchange takes them off the connection itself.
        scope.removeAllContentTypeParsers()
        scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
        scope.all(`${INTERNAL}refused`, () => {
          throw NO_MATCH
        })
        for (const [index, route] of routes.entries()) {
          const methods = new Set(route.match.methods)
          if (methods.has('GET')) methods.add('HEAD')
          // For preflights: our router lets no other get here that the route does not take.
          methods.add('OPTIONS')
          for (const method of methods)
            if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
          scope.route({
            url: `${INTERNAL}${index}`,
            method: [...methods],
            exposeHeadRoute: false,
            config: { gateway: route },
            ...(route.config.logLevel === undefined ? {} : { logLevel: route.config.logLevel }),
            handler: handlerOf(app, route, () => Math.random(), splits),
          })
        }
      })
    })
  },
  { name: 'routing', dependencies: ['config', 'upstreams', 'transport'] },
)
