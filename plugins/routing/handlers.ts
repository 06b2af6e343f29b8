import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { editReply } from '../config/edit-reply.ts'
import { GatewayError } from '../upstreams/errors.ts'
import type { ExchangePlan } from '../upstreams/exchange.ts'
import type { CompiledRoute } from './compile.ts'
import type { Headers } from './edits.ts'
import { type Match, type Matched, NO_MATCH, TYPE } from './find.ts'
import { MATCH } from './local.ts'
import { strippedFrom } from './rewrite.ts'
import type { Params } from './route-match.ts'
import type { Splits } from './split.ts'
import { upgradeOf } from './upgrade.ts'

function forward(app: FastifyInstance, route: CompiledRoute, random: () => number, splits: Splits) {
  const { config } = route
  const split = splits.add(route.name, config, random)
  const tellsId = (app.gateway as { logs?: { requestId: boolean } }).logs?.requestId === true
  const hooks = {
    getUpstream: (request: FastifyRequest) => request.exchange?.begin() as string,
    rewriteRequestHeaders: (request: FastifyRequest, headers: Headers) =>
      request.exchange?.outgoing(headers) as Headers,
    rewriteHeaders: (headers: Headers, request: FastifyRequest) => {
      const kept = request.exchange?.incoming(headers) as Headers
      // The client is told one id, that of our logs.
      if (tellsId) delete kept['x-request-id']
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
    const { path, query, params } = raw[MATCH] as Match
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
    const upstream = split.choose()
    const { keyOf, bindingOf } = app.upstreams.upstream(upstream)
    const plan: ExchangePlan = {
      route: route.name,
      upstream,
      path: target,
      prefix: strippedFrom(path, config.stripPrefix),
      key: keyOf(request),
      binding: bindingOf(request),
      repeatable: route.repeatable(request.headers),
      timeoutMs: config.timeout,
      editRequest: route.requestEdits,
      mirror: mirror === undefined || random() * 100 >= mirror.percent ? undefined : mirror.upstream,
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
    const { query, params } = (request.raw as Matched)[MATCH] as Match
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
  if (route.responseEdits !== undefined) editReply(reply, route.responseEdits)
  return reply
}

function nothingHere(): never {
  throw NO_MATCH
}

/** @param random uniform in [0, 1): for splits and mirrors */
export function handlerOf(app: FastifyInstance, route: CompiledRoute, random: () => number, splits: Splits) {
  if (route.redirect !== undefined) return redirect(route, route.redirect)
  if (route.config.respond !== undefined) return respond(route)
  // Fastify has the endpoint itself; here is who asks for another method of its path.
  if (route.config.endpoint === true) return nothingHere
  return forward(app, route, random, splits)
}
