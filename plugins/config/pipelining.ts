import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** So many requests wait behind the one that is served; then the connection is not read from any more. */
const MOST = 32

/** How many wait on a connection. */
const WAITING = Symbol('holdfast.waiting')
type Connection = Socket & { [WAITING]?: number }

function hold(this: Connection): void {
  if ((this[WAITING] ?? 0) >= MOST) this.pause()
}

/**
 * Serves the requests of a connection of HTTP/1 one after another, as nginx, HAProxy and Envoy do. Node hands over each
 * as soon as it is read, and keeps its answer back until its turn comes: of POSTs that a client has pipelined the last
 * could be executed first (RFC 9112, 9.3.2), and one client could take every connection to a target.
 */
export function inOrder(serve: Handler): Handler {
  return (request, response) => {
    if (response.socket !== null) {
      serve(request, response)
      return
    }
    const socket: Connection = request.socket
    const waiting = (socket[WAITING] ?? 0) + 1
    // What else makes it read on, such as the answer that drains, must not.
    if (socket[WAITING] === undefined) socket.on('resume', hold)
    socket[WAITING] = waiting
    // Not before Node is done with what it has read: behind each request it reads on.
    if (waiting === MOST) process.nextTick(() => hold.call(socket))
    // Node gives it the connection when the answer before it has been written. If the client goes, it never does.
    response.once('socket', () => {
      const left = (socket[WAITING] ?? 1) - 1
      socket[WAITING] = left
      if (left === MOST - 1) socket.resume()
      // Node still has to do with the response.
      process.nextTick(() => {
        if (!socket.destroyed) serve(request, response)
      })
    })
  }
}
