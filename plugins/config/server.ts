import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify'
import { clientErrorResponse } from './client-error.ts'
import type { GatewayConfig } from './define.ts'

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void
type Tls = NonNullable<GatewayConfig['server']['tls']>

function pem(value: string): string {
  return value.includes('-----BEGIN') || !existsSync(value) ? value : readFileSync(value, 'utf8')
}

function tlsOptions(tls: Tls) {
  return {
    cert: pem(tls.cert),
    key: pem(tls.key),
    ...(tls.clientCa === undefined
      ? {}
      : { ca: pem(tls.clientCa), requestCert: true, rejectUnauthorized: true }),
  }
}

/**
 * A listener of HTTP/1.1, or of HTTP/2 besides, with or without TLS; with every limit that keeps a slow or
 * greedy client from holding on to it.
 */
export function createServer(
  handler: Handler,
  server: GatewayConfig['server'],
  { tls, http2: withHttp2 }: { tls?: Tls | undefined; http2: boolean },
): http.Server {
  const limits = {
    maxHeaderSize: server.headerLimit,
    headersTimeout: server.headersTimeout,
    requestTimeout: server.requestTimeout,
    keepAliveTimeout: server.keepAliveTimeout,
    // Look often enough that a time-out is what it says, give or take a second.
    connectionsCheckingInterval: 1000,
    // Only a tunnel takes the connection over: other offers (h2c by curl, say) are no reason to.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() !== 'h2c',
  }
  if (withHttp2) {
    const options = { ...limits, maxHeaderListPairs: 256, settings: { maxConcurrentStreams: 250 } }
    const listener =
      tls === undefined
        ? http2.createServer(options, handler as never)
        : http2.createSecureServer({ ...options, ...tlsOptions(tls), allowHTTP1: true }, handler as never)
    listener.setTimeout(server.idleTimeout)
    return Object.assign(listener, {
      maxRequestsPerSocket: server.requestsPerConnection,
    }) as unknown as http.Server
  }
  const listener =
    tls === undefined
      ? http.createServer(limits, handler)
      : https.createServer({ ...limits, ...tlsOptions(tls) }, handler)
  listener.setTimeout(server.idleTimeout)
  listener.maxRequestsPerSocket = server.requestsPerConnection
  return listener
}

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
  return {
    serverFactory: (handler: Handler) =>
      createServer(handler, server, { tls: server.tls, http2: server.http2 }),
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
