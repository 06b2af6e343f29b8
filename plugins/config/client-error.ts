import type { Duplex } from 'node:stream'

const ANSWERS: Readonly<Record<string, readonly [status: number, title: string, detail: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request did not come in time'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The request headers are too large'],
}
const MALFORMED = [400, 'Bad Request', 'The request is not valid HTTP'] as const

/** Answers what never became a request: malformed, too large or too slow. */
export function clientErrorResponse(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, title, detail] = ANSWERS[error.code ?? ''] ?? MALFORMED
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, code: 'GTW_BAD_REQUEST' })
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
