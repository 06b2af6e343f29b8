import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { RequestEnd } from '../config/request-end.ts'
import { redactedUrl } from './redact.ts'

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}

/** What the line says of the attempts: each target that was tried, and how it ended. */
function attemptsOf(request: FastifyRequest) {
  return request.exchange?.attempts.map(({ target, kind, outcome, decision }) => ({
    target: target.origin,
    kind,
    outcome: outcome === undefined ? 'open' : outcome.kind === 'failed' ? outcome.reason : outcome.kind,
    ...(outcome?.kind === 'answered' ? { status: outcome.status } : {}),
    decision,
  }))
}

function routeOf({ routeOptions }: FastifyRequest): string | undefined {
  const { gateway } = routeOptions.config
  // What our router refused has no route of its own.
  return gateway?.name ?? (routeOptions.url?.startsWith('/~holdfast/') ? undefined : routeOptions.url)
}

function write(request: FastifyRequest, end: RequestEnd): void {
  const { exchange } = request
  const attempts = attemptsOf(request)
  // Undefined where the plugin that keeps it has been taken out.
  const failure = (request.failure ?? null) as (Error & { code?: string }) | null
  const cause = failure?.cause as Error | undefined
  const line = {
    method: request.method,
    host: request.host,
    url: redactedUrl(request.originalUrl),
    status: end.status === 0 ? undefined : end.status,
    client: request.ip,
    route: routeOf(request),
    upstream: exchange?.plan.upstream,
    target: attempts?.at(-1)?.target,
    attempts: attempts?.length,
    ...(attempts !== undefined && attempts.length > 1 ? { tried: attempts } : {}),
    bytes: end.bytesSent,
    totalMs: round(end.totalMs),
    ...(exchange === null
      ? {}
      : { upstreamMs: round(exchange.upstreamMs), gatewayMs: round(end.totalMs - exchange.upstreamMs) }),
    ...(end.aborted ? { aborted: true } : {}),
    ...(failure === null ? {} : { error: failure.code ?? failure.name, cause: cause?.message }),
  }
  request.log.info(line, 'request')
}

export default fp(
  async (app) => {
    const { access, requestId } = app.gateway.logs
    if (access) app.onRequestEnd((request, _reply, end) => write(request, end))
    if (!requestId) return
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id)
      done()
    })
  },
  { name: 'access-log', dependencies: ['config'] },
)
