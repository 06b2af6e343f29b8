import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'

type Answer = readonly [status: number, title: string, detail: string]

const ANSWERS: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request did not come in time'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The request headers are too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload Too Large', 'The chunk extensions are too large'],
}
const MALFORMED: Answer = [400, 'Bad Request', 'The request is not valid HTTP']
const NO_PROXY: Answer = [501, 'Not Implemented', 'This is no forward proxy: CONNECT is not served']

/** How long a refused client is read from, so that the answer is not lost to a reset, in milliseconds. */
const LINGER_MS = 1000

function bodyOf([status, title, detail]: Answer): string {
  const code = status === 501 ? 'GTW_NOT_IMPLEMENTED' : 'GTW_BAD_REQUEST'
  return JSON.stringify({ type: 'about:blank', title, status, detail, code })
}

function end(socket: Duplex, answer: Answer): void {
  const body = bodyOf(answer)
  socket.end(
    `HTTP/1.1 ${answer[0]} ${answer[1]}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
  linger(socket)
}

/**
 * Lets a connection go on which all is said. Closed with bytes of the client's unread, the kernel would reset
 * it and the client might never see the answer; so it is read to its end, for a moment.
 */
export function linger(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.on('error', () => {})
  socket.on('end', () => socket.destroy())
  socket.resume()
}

type WithAnswer = Duplex & { readonly _httpMessage?: { readonly headersSent: boolean } | null }

/** Answers what never became a request, or stopped being one: malformed, too large or too slow. */
export function clientErrorResponse(error: Error & { code?: string }, socket: Duplex): void {
  const underWay = (socket as WithAnswer)._httpMessage?.headersSent === true
  // In the middle of an answer, another one would be taken for a part of it.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable || underWay) {
    socket.destroy()
    return
  }
  end(socket, ANSWERS[error.code ?? ''] ?? MALFORMED)
}

/** Answers CONNECT, which Node gives to no request handler. With HTTP/2 it comes with a response instead of a socket. */
export function refuseConnect(request: IncomingMessage, answer: Duplex | ServerResponse): void {
  if (request.httpVersionMajor === 1) {
    end(answer as Duplex, NO_PROXY)
    return
  }
  const response = answer as ServerResponse
  response.writeHead(NO_PROXY[0], { 'content-type': 'application/problem+json' })
  response.end(bodyOf(NO_PROXY))
}

/** Ends a request of HTTP/2 that does not come in time: with an answer, or if there is one under way, in the middle. */
export function refuseSlow(response: Http2ServerResponse): void {
  const { stream } = response
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_CANCEL)
    return
  }
  const slow = ANSWERS['ERR_HTTP_REQUEST_TIMEOUT'] as Answer
  // Right behind the answer: the rest of the request is not wanted (RFC 9113, 8.1).
  stream.once('wantTrailers', () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)))
  response.writeHead(slow[0], { 'content-type': 'application/problem+json' })
  response.end(bodyOf(slow))
}
