import type http from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import net from 'node:net'

/**
 * Said by a listener right before it closes, when the drain window is over: what it does not track must end
 * too. It comes with a function that takes promises: the listener counts as closed only once they are settled.
 */
export const STOPPING = 'holdfast:stopping'

/**
 * How long connections that were just made may still bring their request, and answers that were written take to be
 * gone, in milliseconds.
 */
export const LINGER_MS = 400

/** How long those that wait to be accepted are taken in at most, in milliseconds. */
const ACCEPT_MS = 2000

/**
 * Calls back when nobody waits to be accepted any more: whom the kernel has let in already, it would reset. libuv takes
 * in one connection each time it looks.
 */
function whenAllAccepted(server: net.Server, then: () => void): void {
  const until = performance.now() + ACCEPT_MS
  let came = false
  const onConnection = (): void => {
    came = true
  }
  const look = (): void => {
    if (came && performance.now() < until) {
      came = false
      setImmediate(look)
      return
    }
    server.off('connection', onConnection)
    then()
  }
  server.on('connection', onConnection)
  // The first may come without a look at the network in between.
  setImmediate(() => setImmediate(look))
}

/**
 * Makes `server.close` lose nothing. Node's own closes every connection on which no request is under way
 * yet, which includes those whose request is just arriving: their clients see a reset; and it stops looking for
 * requests that take too long. Here the door is shut first, and idle connections are closed only when what was on its
 * way has had time to come in.
 */
export function closeGently(server: http.Server): http.Server {
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  // HTTP/2 tells its clients by itself, with GOAWAY.
  const endSessions = (): void => {
    for (const session of sessions) session.close()
  }
  server.close = (done?: (error?: Error) => void) => {
    whenAllAccepted(server, () => {
      net.Server.prototype.close.call(server, done)
      endSessions()
      let sweep: NodeJS.Timeout | undefined
      const linger = setTimeout(() => {
        // Once more for those that were just beginning.
        endSessions()
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
