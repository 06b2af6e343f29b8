import { randomBytes } from 'node:crypto'
import type http from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify'
import { clientErrorResponse } from './client-error.ts'
import type { GatewayConfig } from './define.ts'
import { createServer, type Handler } from './listener.ts'

const REQUEST_ID = /^[A-Za-z0-9._~:/+=-]{1,128}$/

/** Takes a request's id over if it is a fit one, else makes one that no other process makes. */
export function requestIds(): (raw: { headers: IncomingMessage['headers'] }) => string {
  const process = randomBytes(8).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && REQUEST_ID.test(given)) return given
    count++
    return `${process}-${count.toString(36)}`
  }
}

/** What Fastify itself must be created with, made from the config. */
export function serverOptions({ server }: GatewayConfig) {
  // Fastify asks for a second listener where `localhost` has two addresses.
  let main: http.Server | undefined
  return {
    serverFactory: (handler: Handler) => {
      const listener = createServer(handler, server, { tls: server.tls, http2: server.http2 }, main)
      main ??= listener
      return listener
    },
    // Fastify asks only this option whether replies are HTTP/2's; the listener itself is the factory's.
    http2: server.http2,
    trustProxy: server.trustProxy.length === 0 ? false : [...server.trustProxy],
    bodyLimit: server.bodyLimit,
    // One line per request is the access log's business.
    logController: new LogController({ disableRequestLogging: true }),
    requestIdHeader: false,
    genReqId: requestIds(),
    return503OnClosing: false,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 1024 },
    rewriteUrl(this: FastifyInstance, raw: IncomingMessage) {
      return this.routeUrl(raw)
    },
    clientErrorHandler(error: Error & { code?: string }, socket: Duplex) {
      clientErrorResponse(error, socket)
    },
  } satisfies Record<string, unknown> as unknown as FastifyHttpOptions<http.Server>
}
