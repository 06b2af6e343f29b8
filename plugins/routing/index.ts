import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { ExchangePlan } from '../upstreams/contract.ts'
import { GatewayError } from '../upstreams/errors.ts'
import { canonicalise } from './canonical.ts'
import { type CompiledRoute, compileRoute } from './compile.ts'
import type { Headers } from './edits.ts'
import { INTERNAL, type LocalRoutes } from './local.ts'
import type { Params } from './route-match.ts'
import { createRouter } from './router.ts'
import { type UpgradingMessage, upgradeOf } from './upgrade.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The address under which Fastify finds the route of a request. Called for each, before anything else. */
    routeUrl(raw: IncomingMessage): string
  }
  interface FastifyContextConfig {
    /** The route of the config that this Fastify route stands for. */
    gateway?: CompiledRoute
  }
}

const MATCH = Symbol('holdfast.match')
/** What was found out about a request before Fastify saw it. */
type Match =
  | { readonly path: string; readonly query: string; readonly url: string; readonly params: Params }
  | GatewayError
type Matched = IncomingMessage & { [MATCH]?: Match }

const NO_MATCH = new GatewayError('GTW_NO_ROUTE', 404, 'client', 'There is nothing here')

function badRequest(message: string): GatewayError {
  return new GatewayError('GTW_BAD_REQUEST', 400, 'client', message)
}

/** Node takes the first of several Host headers and says nothing of the others: a request smuggled past it. */
function severalHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1
}

function findRoute(app: FastifyInstance, routes: readonly CompiledRoute[], local: LocalRoutes) {
  const router = createRouter(routes.map(({ match }) => match))
  const { encodedSlash } = app.gateway.server
  const refuse = (raw: Matched, error: GatewayError): string => {
    raw[MATCH] = error
    return `${INTERNAL}refused`
  }
  return (raw: Matched): string => {
    if (severalHosts(raw)) return refuse(raw, badRequest('The request has more than one Host header'))
    const canonical = canonicalise(raw.url ?? '/', { encodedSlash })
    if (!canonical.ok) return refuse(raw, badRequest(canonical.reason))
    const { path, query } = canonical
    const method = raw.method ?? 'GET'
    const host = raw.headers.host ?? (raw.headers[':authority'] as string | undefined) ?? ''
    if (local.has(method, path, host)) return path + query
    const result = router.match({ host, method, path, query, headers: raw.headers })
    if (result.kind === 'route') {
      raw[MATCH] = { path, query, url: query === '' ? path : path + query, params: result.params }
      return `${INTERNAL}${result.index}${query}`
    }
    if (result.kind === 'none') return refuse(raw, NO_MATCH)
    const headers = { allow: result.allow.join(', ') }
    const message = `The method ${method} is not allowed here`
    return refuse(raw, new GatewayError('GTW_METHOD_NOT_ALLOWED', 405, 'client', message, { headers }))
  }
}

/** Chooses among upstreams by their shares. */
function chooser({ config }: CompiledRoute): () => string {
  const { upstream, split } = config
  if (split === undefined) return () => upstream as string
  const entries = Object.entries(split).filter(([, share]) => share > 0)
  const total = entries.reduce((sum, [, share]) => sum + share, 0)
  return () => {
    let dice = Math.random() * total
    for (const [name, share] of entries) {
      dice -= share
      if (dice < 0) return name
    }
    return (entries.at(-1) as [string, number])[0]
  }
}

function forward(app: FastifyInstance, route: CompiledRoute) {
  const { config } = route
  const choose = chooser(route)
  const hooks = {
    getUpstream: (request: FastifyRequest) => request.exchange?.begin() as string,
    rewriteRequestHeaders: (request: FastifyRequest, headers: Headers) =>
      request.exchange?.outgoing(headers) as Headers,
    rewriteHeaders: (headers: Headers, request: FastifyRequest) => {
      const kept = request.exchange?.incoming(headers) as Headers
      route.responseEdits?.(kept)
      return kept
    },
    onResponse: (request: FastifyRequest, _reply: FastifyReply, response: { stream: unknown }) =>
      request.exchange?.answer(response.stream),
    onError: (reply: FastifyReply, { error }: { error: Error }) => reply.send(error.cause ?? error),
    // The query is part of the plan's path already.
    queryString: () => '',
  } as never

  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { path, query, params } = (request.raw as Matched)[MATCH] as Exclude<Match, GatewayError>
    let target: string
    try {
      target = route.rewrite(path, params) + route.query(query)
    } catch (error) {
      reply.send(
        new GatewayError('GTW_BAD_REQUEST', 400, 'client', 'The path cannot be forwarded', { cause: error }),
      )
      return
    }
    const { mirror } = config
    const plan: ExchangePlan = {
      route: route.name,
      upstream: choose(),
      path: target,
      key: '',
      repeatable: config.repeatable,
      timeoutMs: config.timeout,
      editRequest: route.requestEdits,
      mirror: mirror === undefined || Math.random() * 100 >= mirror.percent ? undefined : mirror.upstream,
    }
    const upgrade = upgradeOf(request.raw)
    if (upgrade !== undefined) {
      app.openTunnel(request, reply, plan, upgrade)
      return
    }
    app.openExchange(request, reply, plan, () => {
      try {
        reply.from('/', hooks)
      } catch (error) {
        reply.send(error)
      }
    })
  }
}

function redirect(route: CompiledRoute, to: (params: Params) => string) {
  const { status, keepQuery } = route.config.redirect as { status: number; keepQuery: boolean }
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { query, params } = (request.raw as Matched)[MATCH] as Exclude<Match, GatewayError>
    const location = to(params)
    const more = keepQuery && query !== '' ? (location.includes('?') ? `&${query.slice(1)}` : query) : ''
    reply.code(status).header('location', location + more)
    edited(route, reply).send()
  }
}

function respond(route: CompiledRoute) {
  const { status, headers, body } = route.config.respond as {
    status: number
    headers: Record<string, string>
    body: string
  }
  return (_request: FastifyRequest, reply: FastifyReply): void => {
    reply.code(status).headers(headers)
    edited(route, reply).send(body === '' ? undefined : body)
  }
}

function edited(route: CompiledRoute, reply: FastifyReply): FastifyReply {
  if (route.responseEdits === undefined) return reply
  const headers = reply.getHeaders() as Headers
  const before = Object.keys(headers)
  route.responseEdits(headers)
  for (const name of before) if (headers[name] === undefined) reply.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) reply.header(name, value)
  return reply
}

function handlerOf(app: FastifyInstance, route: CompiledRoute) {
  if (route.redirect !== undefined) return redirect(route, route.redirect)
  if (route.config.respond !== undefined) return respond(route)
  return forward(app, route)
}

export default fp<{ local: LocalRoutes }>(
  async (app, { local }) => {
    const routes = app.gateway.routes.map(compileRoute)
    app.decorate('routeUrl', findRoute(app, routes, local))

    // What Fastify was told is a number of ours: give the request its own path and parameters back.
    app.addHook('onRequest', (request, _reply, done) => {
      const match = (request.raw as Matched)[MATCH]
      if (match === undefined || match instanceof GatewayError) return done(match)
      request.raw.url = match.url
      request.params = match.params
      done()
    })

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
        for (const method of methods)
          if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
        scope.route({
          url: `${INTERNAL}${index}`,
          method: [...methods],
          exposeHeadRoute: false,
          config: { gateway: route },
          ...(route.config.logLevel === undefined ? {} : { logLevel: route.config.logLevel }),
          handler: handlerOf(app, route),
        })
      }
    })
  },
  { name: 'routing', dependencies: ['config', 'upstreams', 'transport'] },
)
export type { UpgradingMessage }
