import { randomBytes } from 'node:crypto'
import type http from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify'
import { addressList } from './addresses.ts'
import { Certificates, showCertificates } from './certificates.ts'
import { clientErrorResponse } from './client-error.ts'
import type { GatewayConfig } from './define.ts'
import type { Handler } from './entrance.ts'
import { createServer } from './listener.ts'
import { REFUSED } from './refused.ts'

const REQUEST_ID = /^[A-Za-z0-9._~:/+=-]{1,128}$/

/**
 * Takes a request's id over if it is a fit one of a peer that is believed, else makes one that no other process makes:
 * anybody else could make his requests look like those of others in the logs.
 */
function requestIds(trustProxy: readonly string[]): (raw: IncomingMessage) => string {
  const trusts = addressList(trustProxy)
  const process = randomBytes(8).toString('hex')
  let count = 0
  return ({ headers, socket }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && REQUEST_ID.test(given) && trusts(socket.remoteAddress)) return given
    count++
    return `${process}-${count.toString(36)}`
  }
}

/** What Fastify itself must be created with, made from the config. */
export function serverOptions(config: GatewayConfig) {
  const { server } = config
  const certificates = new Certificates(config)
  // Fastify asks for a second listener where `localhost` has two addresses.
  let main: http.Server | undefined
  return {
    serverFactory: (handler: Handler) => {
      const listener = createServer(
        handler,
        server,
        { certificates: certificates.at('server.tls'), http2: server.http2 },
        main,
      )
      main ??= listener
      showCertificates(main, certificates)
      return listener
    },
    // Fastify asks only this option whether replies are HTTP/2's; the listener itself is the factory's.
    http2: server.http2,
    trustProxy: server.trustProxy.length === 0 ? false : [...server.trustProxy],
    bodyLimit: server.bodyLimit,
    // One line per request is the access log's business.
    logController: new LogController({ disableRequestLogging: true }),
    requestIdHeader: false,
    genReqId: requestIds(server.trustProxy),
    return503OnClosing: false,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 1024 },
    rewriteUrl(this: FastifyInstance, raw: IncomingMessage) {
      return this.routeUrl(raw)
    },
    clientErrorHandler(this: FastifyInstance, error: Error & { code?: string }, socket: Duplex) {
      clientErrorResponse(error, socket, (refusal) => void this.server.emit(REFUSED, refusal))
    },
  } satisfies Record<string, unknown> as unknown as FastifyHttpOptions<http.Server>
}
