import http, { type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { type ListenerTls, listenerTlsOptions } from './certificate.ts'
import { clientErrorResponse, refuseConnect } from './client-error.ts'
import { closeGently, LINGER_MS, STOPPING } from './close.ts'
import type { GatewayConfig } from './define.ts'
import { GatewayHttp2Response } from './http2-response.ts'
import { bothInPlain } from './plain-http2.ts'
import { limitRequests } from './request-count.ts'
import { GatewayResponse } from './response.ts'
import { endHandshakes } from './silent.ts'
import { limitUploads } from './upload-timeout.ts'

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void

/** Whether a request's connection is to be given to its `upgrade` listeners. */
type TakesUpgrade = (request: IncomingMessage) => boolean

function limitsOf(server: GatewayConfig['server']) {
  return {
    maxHeaderSize: server.headerLimit,
    headersTimeout: server.headersTimeout,
    // Node wants the whole to last no shorter than the part.
    requestTimeout: Math.max(server.requestTimeout, server.headersTimeout),
    keepAliveTimeout: server.keepAliveTimeout,
    // Look often enough that a time-out is what it says, give or take a second.
    connectionsCheckingInterval: 1000,
    // Until routing says otherwise, nobody is given a connection.
    shouldUpgradeCallback: (() => false) as TakesUpgrade,
    ServerResponse: GatewayResponse,
  }
}

function create(
  handler: Handler,
  server: GatewayConfig['server'],
  tls: ListenerTls | undefined,
  withHttp2: boolean,
) {
  const limits = limitsOf(server)
  const settings = { maxConcurrentStreams: 250, maxHeaderListSize: server.headerLimit }
  const http2Options = {
    ...limits,
    settings,
    maxHeaderListPairs: 256,
    // MB. As many streams as there may be, each with what is buffered for a slow reader; Node's 10 are too few.
    maxSessionMemory: 32,
    Http1ServerResponse: GatewayResponse,
    Http2ServerResponse: GatewayHttp2Response,
  }
  if (tls !== undefined) {
    const options = { ...listenerTlsOptions(tls), handshakeTimeout: server.headersTimeout }
    if (!withHttp2) return endHandshakes(https.createServer({ ...limits, ...options }, handler))
    const listener = http2.createSecureServer(
      { ...http2Options, ...options, allowHTTP1: true },
      handler as never,
    )
    limitUploads(listener, limits.requestTimeout)
    return endHandshakes(listener as unknown as http.Server)
  }
  const listener = http.createServer(limits, handler)
  if (withHttp2) {
    const h2 = http2.createServer(http2Options, handler as never)
    h2.setTimeout(server.idleTimeout)
    h2.on('connect', refuseConnect)
    limitUploads(h2, limits.requestTimeout)
    if (server.requestsPerConnection > 0) limitRequests(h2, server.requestsPerConnection)
    bothInPlain(listener, h2, server.headersTimeout)
  }
  return listener
}

/**
 * A listener of HTTP/1.1, or of HTTP/2 besides on the same port, with or without TLS; with every limit that
 * keeps a slow or greedy client from holding on to it.
 * @param main the listener whose word on upgrades holds for this one too; default: itself
 */
export function createServer(
  handler: Handler,
  server: GatewayConfig['server'],
  { tls, http2: withHttp2 }: { tls?: ListenerTls | undefined; http2: boolean },
  main?: http.Server,
): http.Server {
  const listener = create(handler, server, tls, withHttp2)
  listener.setTimeout(server.idleTimeout)
  listener.maxRequestsPerSocket = server.requestsPerConnection
  if (server.requestsPerConnection > 0) limitRequests(listener, server.requestsPerConnection)
  listener.on('connect', refuseConnect)
  if (main !== undefined) {
    shareUpgrades(listener, main)
    // On the main one, Fastify does this.
    listener.on('clientError', clientErrorResponse)
  }
  const close = (withHttp2 && tls !== undefined ? listener : closeGently(listener)).close.bind(listener)
  if (withHttp2 && tls !== undefined) {
    // HTTP/2 tells its clients by itself, with GOAWAY; once more for sessions that were just beginning.
    listener.once(STOPPING, () => setTimeout(() => close(() => {}), LINGER_MS))
  }
  listener.close = (callback) => {
    const others: Promise<unknown>[] = []
    listener.emit(STOPPING, (other: Promise<unknown>) => others.push(other))
    return close((error) => Promise.allSettled(others).then(() => callback?.(error)))
  }
  return listener
}

function shareUpgrades(listener: http.Server, main: http.Server): void {
  const from = main as http.Server & { shouldUpgradeCallback: TakesUpgrade }
  Object.assign(listener, {
    shouldUpgradeCallback: (request: IncomingMessage) => from.shouldUpgradeCallback(request),
  })
}
