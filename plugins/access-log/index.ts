import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
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

function write(request: FastifyRequest, reply: FastifyReply, startedAt: number, bytesBefore: number): void {
  const { exchange, raw } = request
  const total = performance.now() - startedAt
  const attempts = attemptsOf(request)
  // Undefined where the plugin that keeps it has been taken out.
  const failure = (request.failure ?? null) as (Error & { code?: string }) | null
  const cause = failure?.cause as Error | undefined
  const aborted = !reply.raw.writableFinished && !reply.raw.writableEnded
  const line = {
    method: request.method,
    host: request.host,
    url: redactedUrl(request.originalUrl),
    status: reply.raw.headersSent ? reply.raw.statusCode : undefined,
    client: request.ip,
    route: routeOf(request),
    upstream: exchange?.plan.upstream,
    target: attempts?.at(-1)?.target,
    attempts: attempts?.length,
    ...(attempts !== undefined && attempts.length > 1 ? { tried: attempts } : {}),
    bytes: raw.httpVersionMajor === 1 ? (raw.socket?.bytesWritten ?? bytesBefore) - bytesBefore : undefined,
    totalMs: round(total),
    ...(exchange === null
      ? {}
      : { upstreamMs: round(exchange.upstreamMs), gatewayMs: round(total - exchange.upstreamMs) }),
    ...(aborted ? { aborted: true } : {}),
    ...(failure === null ? {} : { error: failure.code ?? failure.name, cause: cause?.message }),
  }
  request.log.info(line, 'request')
}

export default fp(
  async (app) => {
    const { access, requestId } = app.gateway.logs
    if (!access && !requestId) return
    app.addHook('onRequest', (request, reply, done) => {
      if (requestId) reply.header('x-request-id', request.id)
      if (access) {
        const startedAt = performance.now()
        const bytesBefore = request.raw.httpVersionMajor === 1 ? request.raw.socket.bytesWritten : 0
        // The only event that comes whichever way it ends: Fastify's onResponse stays away when the client leaves.
        reply.raw.once('close', () => write(request, reply, startedAt, bytesBefore))
      }
      done()
    })
  },
  { name: 'access-log', dependencies: ['config'] },
)
