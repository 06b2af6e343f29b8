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

export type RequestEndListener = (request: FastifyRequest, reply: FastifyReply, end: RequestEnd) => void

declare module 'fastify' {
  interface FastifyInstance {
    /** Hears of every request once, when it is over: for logs, metrics and traces. Before the server is ready. */
    onRequestEnd(listener: RequestEndListener): void
  }
}

function endOf(
  reply: FastifyReply,
  startedAt: number,
  sentBefore: number,
  receivedBefore: number,
): RequestEnd {
  const { raw } = reply
  const { socket, httpVersionMajor } = reply.request.raw
  const counted = httpVersionMajor === 1 && socket !== null && socket !== undefined
  return {
    startedAt,
    totalMs: performance.now() - startedAt,
    status: raw.headersSent ? raw.statusCode : 0,
    aborted: !raw.writableFinished && !raw.writableEnded,
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
  app.addHook('onRequest', (request, reply, done) => {
    if (listeners.length > 0) {
      const startedAt = performance.now()
      const { socket, httpVersionMajor } = request.raw
      const counted = httpVersionMajor === 1
      const sentBefore = counted ? socket.bytesWritten : 0
      const receivedBefore = counted ? socket.bytesRead : 0
      // The only event that comes whichever way it ends: Fastify's onResponse stays away when the client leaves.
      reply.raw.once('close', () => {
        const end = endOf(reply, startedAt, sentBefore, receivedBefore)
        for (const listener of listeners) listener(request, reply, end)
      })
    }
    done()
  })
}
