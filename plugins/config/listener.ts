import http, { type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { ListenerCertificates } from './certificates.ts'
import { clientErrorResponse, refuseConnect } from './client-error.ts'
import { closeGently, STOPPING } from './close.ts'
import type { GatewayConfig } from './define.ts'
import { continueWhenRead, entrance, type Handler } from './entrance.ts'
import { GatewayHttp2Request } from './http2-request.ts'
import { GatewayHttp2Response } from './http2-response.ts'
import { rememberPeers, rememberSessions } from './peer.ts'
import { bothInPlain } from './plain-http2.ts'
import { REFUSED, type Tell } from './refused.ts'
import { limitRequests } from './request-count.ts'
import { GatewayResponse } from './response.ts'
import { endHandshakes } from './silent.ts'
import { rememberUnsent } from './unsent.ts'
import { limitUploads } from './upload-timeout.ts'

/** Whether a request's connection is to be given to its `upgrade` listeners. */
type TakesUpgrade = (request: IncomingMessage) => boolean

function limitsOf(server: GatewayConfig['server']) {
  return {
    maxHeaderSize: server.headerLimit,
    headersTimeout: server.headersTimeout,
    // Node wants the whole to last no shorter than the part.
    requestTimeout: Math.max(server.requestTimeout, server.headersTimeout),
    keepAliveTimeout: server.keepAliveTimeout,
    // Node's answer to a request without one says nothing; routing has a better one.
    requireHostHeader: false,
    // Look often enough that a time-out is what it says, give or take a second.
    connectionsCheckingInterval: 1000,
    // Until routing says otherwise, nobody is given a connection.
    shouldUpgradeCallback: (() => false) as TakesUpgrade,
    ServerResponse: GatewayResponse,
  }
}

/** What Node would answer by itself, or hand over where there is no response yet. */
function serveAll(listener: http.Server | http2.Http2Server, tell: Tell): void {
  const server = listener as http.Server
  server
    .on('connect', (request, answer) => refuseConnect(request, answer, tell))
    .on('checkContinue', (request, response) => {
      continueWhenRead(request, response)
      server.emit('request', request, response)
    })
    .on('checkExpectation', (request, response) => server.emit('request', request, response))
}

function create(
  handler: Handler,
  server: GatewayConfig['server'],
  certificates: ListenerCertificates | undefined,
  withHttp2: boolean,
  tell: Tell,
) {
  const limits = limitsOf(server)
  const settings = { maxConcurrentStreams: 250, maxHeaderListSize: server.headerLimit }
  const http2Options = {
    ...limits,
    settings,
    maxHeaderListPairs: 256,
    // MB. As many streams as there may be, each with what is buffered for a slow reader; Node's 10 are too few.
    maxSessionMemory: 32,
    // What a target says twice is passed on as it is. Node would throw instead, wherever the head or the trailers happen
    // to be sent: out of a timer, or of its own inside, where nothing but the process is left to catch it.
    strictSingleValueFields: false,
    Http1ServerResponse: GatewayResponse,
    Http2ServerRequest: GatewayHttp2Request,
    Http2ServerResponse: GatewayHttp2Response,
  }
  if (certificates !== undefined) {
    const options = { ...certificates.options, handshakeTimeout: server.headersTimeout }
    if (!withHttp2)
      return endHandshakes(certificates.serve(https.createServer({ ...limits, ...options }, handler)))
    const listener = http2.createSecureServer(
      { ...http2Options, ...options, allowHTTP1: true },
      handler as never,
    )
    rememberSessions(listener)
    limitUploads(listener, limits.requestTimeout)
    return endHandshakes(certificates.serve(listener as unknown as http.Server))
  }
  const listener = http.createServer(limits, handler)
  if (withHttp2) {
    const h2 = http2.createServer(http2Options, handler as never)
    h2.setTimeout(server.idleTimeout)
    rememberSessions(h2)
    serveAll(h2, tell)
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
  { certificates, http2: withHttp2 }: { certificates: ListenerCertificates | undefined; http2: boolean },
  main?: http.Server,
): http.Server {
  const tell: Tell = (refusal) => void (main ?? listener).emit(REFUSED, refusal)
  const listener = create(entrance(handler, tell), server, certificates, withHttp2, tell)
  listener.setTimeout(server.idleTimeout)
  listener.maxRequestsPerSocket = server.requestsPerConnection
  if (server.requestsPerConnection > 0) limitRequests(listener, server.requestsPerConnection)
  rememberPeers(listener)
  listener.on(certificates === undefined ? 'connection' : 'secureConnection', rememberUnsent)
  serveAll(listener, tell)
  if (main !== undefined) {
    shareUpgrades(listener, main)
    // On the main one, Fastify does this.
    listener.on('clientError', (error, socket) => clientErrorResponse(error, socket, tell))
  }
  const close = closeGently(listener).close.bind(listener)
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
