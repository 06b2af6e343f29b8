import type http from 'node:http'
import net from 'node:net'

/**
 * Said by a listener right before it closes, when the drain window is over: what it does not track must end
 * too. It comes with a function that takes promises: the listener counts as closed only once they are settled.
 */
export const STOPPING = 'holdfast:stopping'

/** How long connections that were just made may still bring their request, in milliseconds. */
export const LINGER_MS = 400

/**
 * Makes `server.close` lose nothing. Node's own closes every connection on which no request is under way
 * yet, which includes those whose request is just arriving: their clients see a reset. Here the door is shut
 * first, and idle connections are closed only when what was on its way has had time to come in.
 */
export function closeGently(server: http.Server): http.Server {
  server.close = (done?: (error?: Error) => void) => {
    // After the next poll: what waits to be accepted is taken in, instead of being reset by the kernel.
    setImmediate(() => {
      net.Server.prototype.close.call(server, done)
      let sweep: NodeJS.Timeout | undefined
      const linger = setTimeout(() => {
        sweep = setInterval(() => server.closeIdleConnections(), 50)
      }, LINGER_MS)
      server.once('close', () => {
        clearTimeout(linger)
        clearInterval(sweep)
      })
    })
    return server
  }
  return server
}
