import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../upstreams/errors.ts'
import type { ExchangePlan } from '../upstreams/exchange.ts'
import { canonicalise } from './canonical.ts'
import { type CompiledRoute, compileRoute } from './compile.ts'
import type { Headers } from './edits.ts'
import { INTERNAL, type LocalRoutes, MATCH } from './local.ts'
import type { Params } from './route-match.ts'
import { createRouter } from './router.ts'
import { serveUpgrades, upgradeOf } from './upgrade.ts'

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

/** A content type that Fastify cannot read, and would answer with 415 though it is the target's to judge. */
const TYPE = Symbol('holdfast.type')
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/
/** What was found out about a request before Fastify saw it. */
type Match =
  | { readonly path: string; readonly query: string; readonly url: string; readonly params: Params }
  | GatewayError
type Matched = IncomingMessage & { [MATCH]?: Match; [TYPE]?: string }

const NO_MATCH = new GatewayError('GTW_NO_ROUTE', 404, 'client', 'There is nothing here')

function badRequest(message: string): GatewayError {
  return new GatewayError('GTW_BAD_REQUEST', 400, 'client', message)
}

/** Node takes the first of several Host headers and says nothing of the others: a request smuggled past it. */
function severalHosts({ headers, rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  // With HTTP/2 it comes as the authority, and a Host header besides has to agree (RFC 9113, 8.3.1).
  const authority = headers[':authority']
  return hosts > 1 || (hosts === 1 && authority !== undefined && authority !== headers.host)
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

function hideType(raw: Matched, type: string): void {
  raw[TYPE] = type
  delete raw.headers['content-type']
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
    // Left alone, reply-from sends a GET that was answered with 503 ten times more.
    retryDelay: () => null,
    // The query is part of the plan's path already.
    queryString: () => '',
  } as never

  return (request: FastifyRequest, reply: FastifyReply): void => {
    const raw = request.raw as Matched
    if (raw[TYPE] !== undefined) raw.headers['content-type'] = raw[TYPE]
    const { path, query, params } = raw[MATCH] as Exclude<Match, GatewayError>
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
    const upstream = choose()
    const plan: ExchangePlan = {
      route: route.name,
      upstream,
      path: target,
      key: app.upstreams.upstream(upstream).keyOf(request),
      repeatable: route.repeatable(request.headers),
      timeoutMs: config.timeout,
      editRequest: route.requestEdits,
      mirror: mirror === undefined || Math.random() * 100 >= mirror.percent ? undefined : mirror.upstream,
    }
    const upgrade = upgradeOf(request.raw)
    if (upgrade !== undefined) {
      app.openTunnel(request, reply, plan, upgrade, route.responseEdits)
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
    const routeUrl = findRoute(app, routes, local)
    app.decorate('routeUrl', routeUrl)
    serveUpgrades(app, (raw) => {
      const [, index] = routeUrl(raw).split(INTERNAL)
      const config = routes[Number.parseInt(index ?? '', 10)]?.config
      return config?.upstream === undefined && config?.split === undefined ? undefined : config.upgrade
    })

    // Here, after the access log, what no route takes is refused.
    app.addHook('onRequest', (request, _reply, done) => {
      const match = (request.raw as Matched)[MATCH]
      if (match === undefined || match instanceof GatewayError) return done(match)
      const type = request.raw.headers['content-type']
      if (type !== undefined && !MEDIA_TYPE.test(type)) hideType(request.raw, type)
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
