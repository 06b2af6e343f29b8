import http, { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { type Response, refuse, UNKNOWN_METHOD, UNKNOWN_VERSION } from './client-error.ts'
import { inOrder } from './pipelining.ts'
import type { Tell } from './refused.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

const KNOWN: ReadonlySet<string> = new Set(METHODS)

/**
 * What every request passes before anything else looks at it.
 * @param tell hears of those that are refused here
 */
export function entrance(handler: Handler, tell: Tell): Handler {
  const next = inOrder(handler)
  return (request, response: Response) => {
    if (response instanceof http.ServerResponse) {
      // Node's parser takes `HTTP/2.0` and `HTTP/0.9` in text for versions as well.
      if (request.httpVersionMajor === 1) next(request, response)
      else refuse(response, UNKNOWN_VERSION, tell)
    } else if (KNOWN.has(request.method as string)) handler(request, response as never)
    // That of HTTP/1 knows no others either.
    else refuse(response, UNKNOWN_METHOD, tell)
  }
}

type Reading = (size: number) => void

/**
 * `100 Continue` is said when the body is first read: who is refused before is not asked for it (RFC 9110, 10.1.1).
 */
export function continueWhenRead(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  const body = request as { _read: Reading }
  const read = body._read
  body._read = (size) => {
    body._read = read
    if (!response.headersSent && !response.writableEnded) response.writeContinue()
    read.call(request, size)
  }
}
