import type { Http2SecureServer, Http2Server, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { refuseSlow } from './client-error.ts'

/** A body has to be here within `timeoutMs`: Node's own time-out for whole requests knows HTTP/1.1 only. */
export function limitUploads(listener: Http2Server | Http2SecureServer, timeoutMs: number): void {
  const onRequest = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    const stream = request.stream as typeof request.stream | undefined
    // Over TLS, requests of HTTP/1.1 come this way too.
    if (stream === undefined || stream.endAfterHeaders) return
    const timer = setTimeout(() => {
      // All of it may be here already, and only not be read yet.
      if (stream.destroyed || stream.readableEnded || stream.state.remoteClose === 1) return
      refuseSlow(response)
    }, timeoutMs)
    timer.unref()
    const clear = (): void => clearTimeout(timer)
    stream.once('end', clear)
    stream.once('close', clear)
  }
  // First of all, and so before the one that serves it.
  ;(listener as Http2Server).prependListener('request', onRequest)
}
