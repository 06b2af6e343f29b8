import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { UpstreamConfig } from '../config/define.ts'
import type { Lease } from '../upstreams/contract.ts'
import { unixSocket } from '../upstreams/origin.ts'
import { DeadlineError, failureError, failureReason } from './errors.ts'
import { responseHeaders } from './headers.ts'
import { tlsOptions } from './pools.ts'

/** The client's side of an upgrade, as the server's `upgrade` event gives it. */
export interface UpgradeSocket {
  readonly socket: Duplex
  /** What the client has sent behind its request already. */
  readonly head: Buffer
}

export interface TunnelOptions {
  readonly method: string
  readonly path: string
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  readonly protocol: string
  readonly config: UpstreamConfig
  /** Told once: the status of the handshake, and the bytes of the tunnel when it closes. */
  readonly onEnd: (bytes: number) => void
}

function headerObject(list: readonly string[]): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {}
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string
    const value = list[i + 1] as string
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else headers[name] = Array.isArray(before) ? [...before, value] : [String(before), value]
  }
  return headers
}

function open(lease: Lease, options: TunnelOptions): ClientRequest {
  const socketPath = unixSocket(lease.target.origin)
  const url = new URL(socketPath === undefined ? lease.target.origin : 'http://localhost')
  const request = url.protocol === 'https:' ? https.request : http.request
  return request({
    method: options.method,
    path: options.path,
    headers: { ...headerObject(options.headers), connection: 'upgrade', upgrade: options.protocol },
    agent: false,
    ...(socketPath === undefined
      ? { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? undefined : Number(url.port) }
      : { socketPath }),
    ...(url.protocol === 'https:' ? { servername: url.hostname, ...tlsOptions(options.config.tls) } : {}),
  })
}

/** The 101 as the target gave it, header lines in its own order and spelling. */
function handshake(response: IncomingMessage): string {
  let text = `HTTP/1.1 ${response.statusCode} ${response.statusMessage}\r\n`
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    text += `${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}\r\n`
  }
  return `${text}\r\n`
}

/** Joins two sockets: each end, error or silence of one is handed to the other. */
function join(client: Duplex, target: Duplex, done: () => void): void {
  let open = 2
  const closed = (): void => {
    client.destroy()
    target.destroy()
    open--
    if (open === 0) done()
  }
  for (const socket of [client, target]) {
    ;(socket as Duplex & { setTimeout?(ms: number): void }).setTimeout?.(0)
    ;(socket as Duplex & { setNoDelay?(on: boolean): void }).setNoDelay?.(true)
    socket.on('error', () => {}).once('close', closed)
  }
  client.pipe(target)
  target.pipe(client)
}

/**
 * Takes an upgrade (WebSocket or another) to the leased target. If it agrees, the two sockets are joined and
 * bytes pass untouched; if it refuses, its answer is the client's answer.
 */
export function openTunnel(
  lease: Lease,
  { socket, head }: UpgradeSocket,
  reply: FastifyReply,
  options: TunnelOptions,
): void {
  const startedAt = performance.now()
  const request = open(lease, options)
  const { connect, response: responseTimeout } = options.config.timeouts
  const allowed = connect + responseTimeout
  const timer =
    connect === 0 || responseTimeout === 0
      ? undefined
      : setTimeout(() => request.destroy(new DeadlineError('no handshake in time')), allowed)
  const left = (): void => {
    request.destroy()
  }
  socket.once('close', left)

  const answered = (status: number): void => {
    clearTimeout(timer)
    socket.off('close', left)
    lease.settle({ kind: 'answered', status, latencyMs: performance.now() - startedAt })
  }

  request.on('upgrade', (response, upstream, rest) => {
    answered(response.statusCode ?? 101)
    reply.hijack()
    reply.raw.detachSocket(socket as never)
    const before = 'bytesRead' in upstream ? Number(upstream.bytesRead) : 0
    socket.write(handshake(response))
    if (rest.length > 0) socket.write(rest)
    if (head.length > 0) upstream.write(head)
    join(socket, upstream, () => {
      lease.release()
      options.onEnd('bytesRead' in upstream ? Number(upstream.bytesRead) - before + rest.length : 0)
    })
  })
  request.on('response', (response) => {
    answered(response.statusCode ?? 502)
    response.once('close', () => lease.release())
    reply
      .code(response.statusCode ?? 502)
      .headers(responseHeaders(response.headers) as Record<string, string>)
    // The client's socket was given up by the HTTP server with the upgrade: it ends with this answer.
    reply.header('connection', 'close').send(response)
  })
  request.on('error', (error) => {
    clearTimeout(timer)
    socket.off('close', left)
    if (socket.destroyed) {
      lease.settle({ kind: 'abandoned' })
    } else {
      const requestSent = request.socket !== null && !request.socket.connecting
      const reason = failureReason(error, requestSent)
      lease.settle({ kind: 'failed', reason, requestSent, latencyMs: performance.now() - startedAt })
      if (!reply.sent) reply.header('connection', 'close').send(failureError(reason, error))
    }
    lease.release()
  })
  request.end()
}
