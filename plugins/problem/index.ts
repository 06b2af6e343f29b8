import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { editReply } from '../config/edit-reply.ts'
import { messageOf } from '../config/messages.ts'
import { GatewayError } from '../upstreams/errors.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** A problem was handed to it already: what fails now is the sending. */
    hasProblem: boolean
  }
}

const TYPE = 'application/problem+json'

/** They describe a body, or say how long it may be kept: those of a route are not those of its errors. */
const OF_A_BODY = /^(?:content-.*|transfer-encoding|etag|last-modified|cache-control|expires|age)$/

/** RFC 9457. An error that may not be told is one of the gateway's own, and says nothing. */
function document(
  status: number,
  error: Error | undefined,
  code: string,
  { id }: FastifyRequest,
): Record<string, unknown> {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error?.message ?? 'The gateway failed to answer',
    code,
    requestId: id,
  }
}

/**
 * Errors as RFC 9457 has them. A `GatewayError` says what it says; another error is the client's fault and
 * speaks for itself only if it has a status below 500.
 */
function problem(thrown: FastifyError | GatewayError, request: FastifyRequest, reply: FastifyReply): void {
  const error = thrown instanceof Error ? thrown : new Error(messageOf(thrown))
  if (reply.hasProblem) {
    lastResort(error, request, reply)
    return
  }
  reply.hasProblem = true
  request.failure = error
  const ours = error instanceof GatewayError
  const { statusCode = 500 } = error as Partial<FastifyError>
  const status = statusCode >= 400 && statusCode <= 599 ? statusCode : 500
  const told = ours || status < 500
  if (!told) request.log.error({ err: error }, 'an endpoint failed')
  if (ours && error.headers !== undefined) reply.headers(error.headers)
  // Nothing of a rejected answer's body description may describe this one.
  for (const name of ['content-length', 'content-encoding', 'etag', 'last-modified']) reply.removeHeader(name)
  const edit = request.routeOptions.config.gateway?.responseEdits
  if (edit !== undefined) editReply(reply, edit, OF_A_BODY)
  const code = ours ? error.code : status < 500 ? 'GTW_BAD_REQUEST' : 'GTW_INTERNAL'
  reply
    .code(status)
    .type(TYPE)
    .serializer((body: unknown) => JSON.stringify(body))
    .send(document(status, told ? error : undefined, code, request))
}

/**
 * When a problem cannot be sent either, since a hook fails on each answer or gives it a header that HTTP does not know:
 * past all hooks. Fastify would send the client the message of the error.
 */
function lastResort(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  request.failure = error
  request.log.error({ err: error }, 'an answer could not be sent')
  const { raw } = reply.hijack()
  if (raw.headersSent) {
    raw.destroy()
    return
  }
  const body = JSON.stringify(document(500, undefined, 'GTW_INTERNAL', request))
  for (const name of raw.getHeaderNames()) if (OF_A_BODY.test(name)) raw.removeHeader(name)
  raw.writeHead(500, { 'content-type': TYPE, 'content-length': Buffer.byteLength(body) })
  raw.end(request.method === 'HEAD' ? undefined : body)
}

export default fp(
  async (app) => {
    app.decorateRequest('failure', null)
    app.decorateReply('hasProblem', false)
    app.setErrorHandler(problem)
    const { errorHandler } = app
    // Fastify asks each handler once and then answers by itself: twice is what it takes to have the last word.
    app.addHook('onRoute', function (options) {
      if (options.errorHandler !== undefined || this.errorHandler !== errorHandler) return
      options.errorHandler = (error, request, reply) => {
        // A plugin may have said only later that it has a handler of its own.
        const { server } = request
        return server.errorHandler === errorHandler
          ? problem(error, request, reply)
          : server.errorHandler(error, request, reply)
      }
    })
    app.setNotFoundHandler((request, reply) => {
      problem(new GatewayError('GTW_NO_ROUTE', 404, 'client', 'There is nothing here'), request, reply)
    })
  },
  { name: 'problem' },
)
