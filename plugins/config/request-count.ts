import type http from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2Server, Http2ServerRequest } from 'node:http2'

/**
 * Closes a connection once it has served `limit` requests. Node's own limit only says so and leaves it to the
 * client to go; with HTTP/2 it has none.
 */
export function limitRequests(listener: http.Server | Http2Server, limit: number): void {
  const counts = new WeakMap<object, number>()
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const session = (request as unknown as Partial<Http2ServerRequest>).stream?.session
    const connection = session ?? request.socket
    const count = (counts.get(connection) ?? 0) + 1
    counts.set(connection, count)
    if (count < limit) return
    if (session === undefined) response.shouldKeepAlive = false
    // GOAWAY: what is under way is finished, and nothing else is taken.
    else session.close()
  }
  ;(listener as http.Server).prependListener('request', onRequest)
}
