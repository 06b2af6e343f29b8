import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../upstreams/errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What this request failed with, inside and all: for logs and metrics, never for the client. */
    failure: Error | null
  }
}

/**
 * Errors as RFC 9457 has them. A `GatewayError` says what it says; another error is the client's fault and
 * speaks for itself only if it has a status below 500.
 */
function problem(error: FastifyError | GatewayError, request: FastifyRequest, reply: FastifyReply): void {
  request.failure = error
  const ours = error instanceof GatewayError
  const status = error.statusCode !== undefined && error.statusCode >= 400 ? error.statusCode : 500
  const told = ours || status < 500
  if (!told) request.log.error({ err: error }, 'an endpoint failed')
  if (ours && error.headers !== undefined) reply.headers(error.headers)
  // Nothing of a rejected answer's body description may describe this one.
  for (const name of ['content-length', 'content-encoding', 'etag', 'last-modified']) reply.removeHeader(name)
  reply
    .code(status)
    .type('application/problem+json')
    .serializer((body: unknown) => JSON.stringify(body))
    .send({
      type: 'about:blank',
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail: told ? error.message : 'The gateway failed to answer',
      code: ours ? error.code : status < 500 ? 'GTW_BAD_REQUEST' : 'GTW_INTERNAL',
      requestId: request.id,
    })
}

export default fp(
  async (app) => {
    app.decorateRequest('failure', null)
    app.setErrorHandler(problem)
    app.setNotFoundHandler((request, reply) => {
      problem(new GatewayError('GTW_NO_ROUTE', 404, 'client', 'There is nothing here'), request, reply)
    })
  },
  { name: 'problem' },
)
