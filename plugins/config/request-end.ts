import type { Http2ServerResponse } from 'node:http2'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Connection, unsentBytes } from './unsent.ts'

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
  /** Address of the client, as `request.ip` was when it came: later there may be no connection to ask. */
  readonly client: string
  /** Address of whoever connected, which may be a proxy; undefined where nobody did. */
  readonly peer: string | undefined
  /**
   * To and from the client, headers included; with HTTP/2, whose requests share a connection, bodies only. What is
   * read or written at once for several pipelined requests is the first one's: the sum is right. Undefined for what
   * is injected.
   */
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

/** What a connection has read and written when it was last told of. */
const TOLD = Symbol('holdfast.told')
/** The request that a response is for, until its end is told. */
const OPEN = Symbol('holdfast.open')

type Counting = Connection & { [TOLD]?: { read: number; written: number } }
interface Open extends Pick<RequestEnd, 'startedAt' | 'client' | 'peer'> {
  readonly reply: FastifyReply
}
type Raw = FastifyReply['raw'] & { [OPEN]?: Open | undefined }

/**
 * Ended is not sent. With HTTP/2 a response says that it was finished, however its stream was closed: the stream knows
 * better, which is ended by itself when the client resets it.
 * @param connected false for what is injected: nothing is ever sent
 */
function isAborted(raw: FastifyReply['raw'], connected: boolean): boolean {
  const { stream } = raw as { readonly stream?: Http2ServerResponse['stream'] }
  // Of a HEAD request it is ended from the start.
  if (stream !== undefined) return stream.aborted || !stream.writableFinished || !stream.headersSent
  return connected ? !raw.writableFinished : !raw.writableEnded
}

function endOf({ reply, startedAt, client, peer }: Open): RequestEnd {
  const { raw, request } = reply
  const { httpVersionMajor, socket } = request.raw as { httpVersionMajor: number; socket: Counting | null }
  let { bodyBytes: bytesSent } = raw as { readonly bodyBytes?: number }
  let { bodyBytes: bytesReceived } = request.raw as { readonly bodyBytes?: number }
  // Both are counted at each look. What `inject` has for a connection counts nothing.
  const bytesRead = httpVersionMajor === 1 ? socket?.bytesRead : undefined
  if (socket !== null && bytesRead !== undefined) {
    const bytesWritten = socket.bytesWritten - unsentBytes(socket)
    // Not since the request's own beginning: one that is sent behind another begins before that is answered.
    socket[TOLD] ??= { read: 0, written: 0 }
    const told = socket[TOLD]
    bytesSent = bytesWritten - told.written
    bytesReceived = bytesRead - told.read
    told.written = bytesWritten
    told.read = bytesRead
  }
  return {
    startedAt,
    totalMs: performance.now() - startedAt,
    status: raw.headersSent ? raw.statusCode : 0,
    aborted: isAborted(raw, bytesRead !== undefined),
    client,
    peer,
    bytesSent,
    bytesReceived,
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
  const tell = (reply: FastifyReply, end: RequestEnd): void => {
    for (const listener of listeners) {
      try {
        listener(reply.request, reply, end)
      } catch (error) {
        // Told by the connection's event: nobody else would catch it, and the others are to hear all the same.
        reply.log.error({ err: error }, 'who hears of the ends of requests has failed')
      }
    }
  }
  const tellLater = (reply: FastifyReply, end: RequestEnd): void =>
    tell(reply, { ...end, totalMs: performance.now() - end.startedAt })
  // One for all, which finds its request on the response: nothing is made for each but a note.
  function closed(this: Raw): void {
    const open = this[OPEN]
    if (open === undefined) return
    this[OPEN] = undefined
    const end = endOf(open)
    // Its attempts hear by the same event that the client has left: first they end, then it is told, and none of them
    // has taken longer than all of it.
    if (end.aborted) process.nextTick(tellLater, open.reply, end)
    else tell(open.reply, end)
  }
  app.addHook('onRequest', (request, reply, done) => {
    for (const start of starts) start(request, reply)
    if (listeners.length > 0) {
      const raw = reply.raw as Raw
      raw[OPEN] = {
        reply,
        startedAt: performance.now(),
        client: request.ip,
        peer: request.raw.socket.remoteAddress,
      }
      // The only event that comes whichever way it ends: Fastify's onResponse stays away when the client leaves.
      raw.on('close', closed)
    }
    done()
  })
}
