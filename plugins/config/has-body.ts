import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'

/** Whether a request brings a body, as its head says it. With HTTP/2 the head is then not the end of its stream. */
export function hasBody(raw: IncomingMessage): boolean {
  const length = raw.headers['content-length']
  if (length !== undefined) return Number(length) > 0
  if (raw.httpVersionMajor === 2) return !(raw as unknown as Http2ServerRequest).stream.endAfterHeaders
  return raw.headers['transfer-encoding'] !== undefined
}
