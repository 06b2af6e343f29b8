import http, { type IncomingMessage } from 'node:http'
import { constants, type Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import { peerOf, type RefusalReason, type Tell } from './refused.ts'

type Answer = readonly [status: number, title: string, detail: string, reason: RefusalReason]
export type Response = http.ServerResponse | Http2ServerResponse

const TIMEOUT: Answer = [408, 'Request Timeout', 'The request did not come in time', 'timeout']
const INCOMPLETE: Answer = [400, 'Bad Request', 'The request breaks off', 'incomplete']
const MALFORMED: Answer = [400, 'Bad Request', 'The request is not valid HTTP', 'malformed']
const ANSWERS: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: TIMEOUT,
  HPE_HEADER_OVERFLOW: [
    431,
    'Request Header Fields Too Large',
    'The request headers are too large',
    'headers-too-large',
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [
    413,
    'Payload Too Large',
    'The chunk extensions are too large',
    'chunk-extensions-too-large',
  ],
  HPE_INVALID_EOF_STATE: INCOMPLETE,
}
const NO_PROXY: Answer = [
  501,
  'Not Implemented',
  'This is no forward proxy: CONNECT is not served',
  'connect',
]
export const UNKNOWN_METHOD: Answer = [501, 'Not Implemented', 'The method is not known here', 'method']
export const UNKNOWN_VERSION: Answer = [
  505,
  'HTTP Version Not Supported',
  'Of HTTP in text, 1.0 and 1.1 are served',
  'version',
]

/** How long a refused client is read from, so that the answer is not lost to a reset, in milliseconds. */
const REFUSED_LINGER_MS = 1000

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
  const timer = setTimeout(() => socket.destroy(), REFUSED_LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.on('error', () => {})
  socket.on('end', () => socket.destroy())
  socket.resume()
}

const REFUSING = Symbol('holdfast.refusing')
/** Node's: the answer whose turn it is on this connection. */
type WithAnswer = Duplex & { readonly _httpMessage?: http.ServerResponse | null; [REFUSING]?: true }

/** Those before it are due first: the client would take another answer for theirs. */
function whenDue(socket: WithAnswer, refuse: () => void): void {
  const front = socket._httpMessage
  // Incomplete, it is the one that is refused.
  if (front?.req.complete === true) front.once('finish', () => process.nextTick(whenDue, socket, refuse))
  else refuse()
}

/** Answers what never became a request, or stopped being one: malformed, too large or too slow. */
export function clientErrorResponse(
  error: Error & { code?: string },
  socket: Duplex & { [REFUSING]?: true },
  tell: Tell,
): void {
  const { code = '' } = error
  if (code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    // It went by itself, or never got through its handshake.
    if (code !== 'ECONNRESET' && code !== 'EPIPE')
      tell({ reason: 'tls', status: 0, peer: peerOf(socket), code })
    socket.destroy()
    return
  }
  // Once more for each piece that still comes.
  if (socket[REFUSING]) return
  socket[REFUSING] = true
  whenDue(socket, () => {
    const answer = ANSWERS[code] ?? MALFORMED
    // In the middle of an answer, another one would be taken for a part of it.
    const underWay = (socket as WithAnswer)._httpMessage?.headersSent === true
    tell({ reason: answer[3], status: underWay ? 0 : answer[0], peer: peerOf(socket), code })
    if (underWay) socket.destroy()
    else end(socket, answer)
  })
}

/** Answers a request that goes no further, and closes its connection if there is no telling what follows. */
export function refuse(response: Response, answer: Answer, tell: Tell): void {
  const { socket } = response.req
  tell({ reason: answer[3], status: answer[0], peer: peerOf(socket), code: undefined })
  const head = { 'content-type': 'application/problem+json' }
  if (response instanceof http.ServerResponse) {
    response.writeHead(answer[0], { ...head, connection: 'close' }).end(bodyOf(answer))
  } else {
    response.writeHead(answer[0], head)
    response.end(bodyOf(answer))
  }
}

/** Answers CONNECT, which Node gives to no request handler. With HTTP/2 it comes with a response instead of a socket. */
export function refuseConnect(
  _request: IncomingMessage,
  answer: Duplex | Http2ServerResponse,
  tell: Tell,
): void {
  // The version that the request names does not tell: in text it may be any.
  if ('writeHead' in answer) {
    refuse(answer, NO_PROXY, tell)
    return
  }
  // Node has taken its hands off the connection: an answer that is still due will not come to its end.
  const { _httpMessage: due } = answer as WithAnswer
  const underWay = due !== undefined && due !== null
  tell({ reason: 'connect', status: underWay ? 0 : NO_PROXY[0], peer: peerOf(answer), code: undefined })
  if (underWay) answer.destroy()
  else end(answer, NO_PROXY)
}

/** Ends a request of HTTP/2 that does not come in time: with an answer, or if there is one under way, in the middle. */
export function refuseSlow(response: Http2ServerResponse): void {
  const { stream } = response
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_CANCEL)
    return
  }
  // Right behind the answer: the rest of the request is not wanted (RFC 9113, 8.1).
  stream.once('wantTrailers', () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)))
  response.writeHead(TIMEOUT[0], { 'content-type': 'application/problem+json' })
  response.end(bodyOf(TIMEOUT))
}
