import http2 from 'node:http2'
import type { Socket } from 'node:net'
import { type Run, reasonFor } from './run.ts'

/** One HTTP/2 request over a connection that is open. Whatever ends it before the check is over fails the check. */
export function openStream(
  run: Run,
  socket: Socket,
  headers: http2.OutgoingHttpHeaders,
  options?: http2.ClientSessionRequestOptions,
): http2.ClientHttp2Stream {
  // The authority is the request's own; this one is never seen.
  const session = http2.connect(`${headers[':scheme']}://localhost`, {
    createConnection: () => socket,
    settings: { enablePush: false },
  })
  run.atEnd(() => session.destroy())
  session.on('error', (error) => run.fail(reasonFor(error)))
  const stream = session.request(headers, options)
  stream.on('error', (error) => run.fail(reasonFor(error)))
  // A stream that is broken off ends as though all were well. Asked first, as the first listener.
  stream.on('end', () => {
    if (stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR)
      run.fail(`the answer broke off: HTTP/2 error code ${stream.rstCode}`)
  })
  stream.on('close', () => run.fail('the connection was closed before the end of the answer'))
  return stream
}
