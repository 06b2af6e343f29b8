import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** How a request ended, whichever way it did. */
export interface RequestEnd {
  /** Monotonic milliseconds: when its headers were there. */
  readonly startedAt: number
  /** Until the connection was done with the response. */
  readonly totalMs: number
  /** Of the response; 0 if the client was sent none. */
  readonly status: number
  /** The client went away before the response was sent whole. */
  readonly aborted: boolean
  /** To and from the client, headers included; undefined with HTTP/2, whose requests share a connection. */
  readonly bytesSent: number | undefined
  readonly bytesReceived: number | undefined
}

export type RequestStartListener = (request: FastifyRequest, reply: FastifyReply) => void
export type RequestEndListener = (request: FastifyRequest, reply: FastifyReply, end: RequestEnd) => void

declare module 'fastify' {
  interface FastifyInstance {
    /** Hears of every request once, when it is over: for logs, metrics and traces. Before the server is ready. */
    onRequestEnd(listener: RequestEndListener): void
    /**
     * Hears of every request first, those that are refused later included: before any hook, whichever plugin adds it.
     * Before the server is ready.
     */
    onRequestStart(listener: RequestStartListener): void
  }
}

/** How much of what a connection has received has been told of. */
const TOLD = Symbol('holdfast.told')

/** With HTTP/2 a response says that it was finished, however its stream was closed: the stream knows better. */
function isAborted(raw: FastifyReply['raw']): boolean {
  const { stream } = raw as { stream?: { readonly aborted: boolean } }
  return stream === undefined ? !raw.writableFinished && !raw.writableEnded : stream.aborted
}

function endOf(reply: FastifyReply, startedAt: number, sentBefore: number): RequestEnd {
  const { raw } = reply
  const { httpVersionMajor } = reply.request.raw
  const socket = reply.request.raw.socket as (Socket & { [TOLD]?: number }) | null | undefined
  const counted = httpVersionMajor === 1 && socket !== null && socket !== undefined
  // A request's headers have been read before anybody hears of it.
  const receivedBefore = counted ? (socket[TOLD] ?? 0) : 0
  if (counted) socket[TOLD] = socket.bytesRead
  return {
    startedAt,
    totalMs: performance.now() - startedAt,
    status: raw.headersSent ? raw.statusCode : 0,
    aborted: isAborted(raw),
    bytesSent: counted ? socket.bytesWritten - sentBefore : undefined,
    bytesReceived: counted ? socket.bytesRead - receivedBefore : undefined,
  }
}

/** To be called before any other hook is added, so that all that a request waits for is in its time. */
export function tellOfRequestEnds(app: FastifyInstance): void {
  const listeners: RequestEndListener[] = []
  app.decorate('onRequestEnd', (listener: RequestEndListener) => {
    listeners.push(listener)
  })
  const starts: RequestStartListener[] = []
  app.decorate('onRequestStart', (listener: RequestStartListener) => {
    starts.push(listener)
  })
  app.addHook('onRequest', (request, reply, done) => {
    for (const start of starts) start(request, reply)
    if (listeners.length > 0) {
      const startedAt = performance.now()
      const { socket, httpVersionMajor } = request.raw
      const sentBefore = httpVersionMajor === 1 ? socket.bytesWritten : 0
      // The only event that comes whichever way it ends: Fastify's onResponse stays away when the client leaves.
      reply.raw.once('close', () => {
        const end = endOf(reply, startedAt, sentBefore)
        const tell = (): void => {
          for (const listener of listeners) listener(request, reply, end)
        }
        // Its attempts hear by the same event that the client has left: first they end, then it is told.
        if (end.aborted) process.nextTick(tell)
        else tell()
      })
    }
    done()
  })
}
