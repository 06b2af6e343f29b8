import type { IncomingMessage } from 'node:http'
import type { FastifyReply } from 'fastify'

/** A client that sends nothing for this long has stopped. nginx waits for 5 s (`lingering_timeout`). */
const IDLE_MS = 2000
/** And this is the end of it in any case. nginx: 30 s (`lingering_time`). */
const LONGEST_MS = 10_000

/**
 * Makes an answer that comes before all of the request is there the last one on its connection, and sees to it that it
 * arrives: RFC 9112, 9.6. A connection that is closed with bytes of the client's unread is reset, and what the client
 * has not read by then may be lost. So our side is shut, and what still comes is read and thrown away for a while.
 */
export function lastAnswer(request: IncomingMessage, reply: FastifyReply): void {
  // With HTTP/2 it is a stream that ends, and not the connection.
  if (request.complete || request.httpVersionMajor !== 1) return
  reply.header('connection', 'close')
  const { socket } = request
  const close = socket.destroySoon
  // Node calls it once the answer is written.
  socket.destroySoon = () => {
    socket.destroySoon = close
    if (request.complete) {
      socket.destroySoon()
      return
    }
    const stop = (): void => {
      socket.destroy()
    }
    const longest = setTimeout(stop, LONGEST_MS).unref()
    socket.once('close', () => clearTimeout(longest)).setTimeout(IDLE_MS, stop)
    request.once('end', () => socket.destroySoon()).resume()
    socket.end()
  }
}
