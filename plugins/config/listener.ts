import http, { type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Socket } from 'node:net'
import { type ListenerTls, listenerTlsOptions } from './certificate.ts'
import { clientErrorResponse, refuseConnect } from './client-error.ts'
import { closeGently } from './close.ts'
import type { GatewayConfig } from './define.ts'
import { GatewayHttp2Response } from './http2-response.ts'
import { limitRequests } from './request-count.ts'

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void

/**
 * Said by a listener right before it closes, when the drain window is over: what it does not track must end
 * too. It comes with a function that takes promises: the listener counts as closed only once they are settled.
 */
export const STOPPING = 'holdfast:stopping'

/** Whether a request's connection is to be given to its `upgrade` listeners. */
type TakesUpgrade = (request: IncomingMessage) => boolean

const PREFACE = 'PRI * HTTP/2.0'

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
  }
}

/** One plain port for both: a connection that opens with the preface of HTTP/2 is spoken to in HTTP/2. */
function bothInPlain(h1: http.Server, h2: http2.Http2Server, patience: number): void {
  const serveHttp1 = h1.listeners('connection') as ((socket: Socket) => void)[]
  const undecided = new Set<Socket>()
  h1.removeAllListeners('connection')
  h1.on('connection', (socket: Socket) => {
    let start: Buffer = Buffer.alloc(0)
    const ignore = (): void => {}
    const giveUp = (): void => {
      socket.destroy()
    }
    const decide = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      start = Buffer.concat([start, chunk])
      const seen = start.toString('latin1', 0, PREFACE.length)
      if (start.length < PREFACE.length && PREFACE.startsWith(seen)) return
      socket
        .off('readable', decide)
        .off('error', ignore)
        .off('timeout', giveUp)
        .off('end', giveUp)
        .setTimeout(0)
      undecided.delete(socket)
      socket.unshift(start)
      if (seen === PREFACE) h2.emit('connection', socket)
      else for (const serve of serveHttp1) serve.call(h1, socket)
    }
    undecided.add(socket)
    socket.once('close', () => undecided.delete(socket))
    socket.on('error', ignore).on('end', giveUp).on('readable', decide).setTimeout(patience, giveUp)
  })
  h1.once(STOPPING, () => {
    for (const socket of undecided) socket.destroy()
    h2.close(() => {})
  })
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
    Http2ServerResponse: GatewayHttp2Response,
  }
  if (tls !== undefined) {
    const options = listenerTlsOptions(tls)
    if (!withHttp2) return https.createServer({ ...limits, ...options }, handler)
    const listener = http2.createSecureServer(
      { ...http2Options, ...options, allowHTTP1: true },
      handler as never,
    )
    return listener as unknown as http.Server
  }
  const listener = http.createServer(limits, handler)
  if (withHttp2) {
    const h2 = http2.createServer(http2Options, handler as never)
    h2.setTimeout(server.idleTimeout)
    h2.on('connect', refuseConnect)
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
  // HTTP/2 tells its clients by itself, with GOAWAY.
  if (!(withHttp2 && tls !== undefined)) closeGently(listener)
  const close = listener.close.bind(listener)
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
