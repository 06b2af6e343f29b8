import type { CheckResult } from '../check-state.ts'
import { decodeResponse, encodeRequest } from '../grpc-message.ts'
import { openStream } from './http2-session.ts'
import { type Limits, runCheck } from './run.ts'
import { type Address, agreedProtocol, openSocket } from './socket.ts'

/** A HealthCheckResponse has a few bytes; what is longer is none. */
const MESSAGE_BYTES = 64 * 1024

export interface GrpcQuestion {
  /** '' is the server as a whole. */
  readonly service: string
  /** Metadata; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** `:authority`; undefined is the target's own. */
  readonly host: string | undefined
}

/** Calls grpc.health.v1.Health/Check, over HTTP/2 with or without TLS. Only SERVING passes. */
export function checkGrpc(address: Address, question: GrpcQuestion, limits: Limits): Promise<CheckResult> {
  return runCheck(limits, (run) => {
    openSocket(run, address, ['h2'], (socket) => {
      if (address.tls !== undefined && agreedProtocol(socket) !== 'h2') {
        return run.fail('does not speak HTTP/2: ALPN agreed on no "h2"')
      }
      run.waitingFor = 'an answer'
      const scheme = address.tls === undefined ? 'http' : 'https'
      const stream = openStream(run, socket, {
        ...question.headers,
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        ':scheme': scheme,
        ':authority': question.host ?? address.hostHeader,
        'content-type': 'application/grpc',
        te: 'trailers',
      })
      const chunks: Buffer[] = []
      let length = 0
      let grpcStatus: unknown
      let grpcMessage: unknown
      const take = (fields: Record<string, unknown>): void => {
        grpcStatus ??= fields['grpc-status']
        grpcMessage ??= fields['grpc-message']
      }
      stream.on('response', (headers) => {
        if (headers[':status'] !== 200) run.fail(`status ${headers[':status']}`)
        // An error may come without a body, in the first header block.
        take(headers)
      })
      stream.on('trailers', take)
      stream.on('data', (chunk: Buffer) => {
        length += chunk.length
        chunks.push(chunk)
        if (length > MESSAGE_BYTES) run.fail('the answer is too long for a HealthCheckResponse')
      })
      stream.on('end', () => {
        const fault = faultOf(grpcStatus, grpcMessage, Buffer.concat(chunks))
        if (fault === undefined) run.pass()
        else run.fail(fault)
      })
      stream.end(encodeRequest(question.service))
    })
  })
}

/** Undefined where the service is SERVING. */
function faultOf(grpcStatus: unknown, grpcMessage: unknown, frame: Buffer): string | undefined {
  if (grpcStatus === undefined) return 'the answer has no grpc-status'
  if (grpcStatus !== '0') {
    return `grpc-status ${grpcStatus}${grpcMessage === undefined ? '' : ` (${grpcMessage})`}`
  }
  const serving = decodeResponse(frame)
  if (serving === undefined) return 'the answer is no HealthCheckResponse'
  return serving === 'SERVING' ? undefined : `the service is ${serving}`
}
