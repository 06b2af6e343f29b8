import http from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { CheckResult } from '../check-state.ts'
import { type StatusRange, within } from '../status.ts'
import { openStream } from './http2-session.ts'
import { type Limits, type Run, reasonFor, runCheck } from './run.ts'
import { type Address, agreedProtocol, openSocket } from './socket.ts'

/** So much of a body is read and searched; then the connection is closed. */
const BODY_BYTES = 64 * 1024

export interface HttpQuestion {
  readonly path: string
  readonly method: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Undefined is the target's own. */
  readonly host: string | undefined
  /** Statuses that pass. */
  readonly status: readonly StatusRange[]
  /** Has to occur in the body; undefined is any body. */
  readonly body: string | undefined
  /** By ALPN with TLS, by prior knowledge without. */
  readonly http2: boolean
}

/** Asks a target over a connection of its own and judges the whole answer; redirects are not followed. */
export function checkHttp(address: Address, question: HttpQuestion, limits: Limits): Promise<CheckResult> {
  return runCheck(limits, (run) => {
    const protocols = question.http2 ? ['h2', 'http/1.1'] : ['http/1.1']
    openSocket(run, address, protocols, (socket) => {
      run.waitingFor = 'an answer'
      const host = question.host ?? address.hostHeader
      const asked = { ...question, host, scheme: address.tls === undefined ? 'http' : 'https' }
      const http2 = question.http2 && (address.tls === undefined || agreedProtocol(socket) === 'h2')
      if (http2) askHttp2(run, socket, asked)
      else askHttp1(run, socket, asked)
    })
  })
}

type Asked = HttpQuestion & { readonly host: string; readonly scheme: string }

function askHttp1(run: Run, socket: Socket, asked: Asked): void {
  const request = http.request({
    createConnection: () => socket,
    method: asked.method,
    path: asked.path,
    headers: { ...asked.headers, host: asked.host, connection: 'close' },
  })
  request.on('error', (error) => run.fail(reasonFor(error)))
  request.on('response', (response) => judge(run, response.statusCode ?? 0, response, asked))
  // As an answer to a question that asked for no upgrade.
  request.on('upgrade', () => run.fail('status 101'))
  request.end()
}

function askHttp2(run: Run, socket: Socket, asked: Asked): void {
  const stream = openStream(
    run,
    socket,
    {
      ...asked.headers,
      ':method': asked.method,
      ':path': asked.path,
      ':scheme': asked.scheme,
      ':authority': asked.host,
    },
    { endStream: true },
  )
  stream.on('response', (headers) => judge(run, headers[':status'] ?? 0, stream, asked))
}

function judge(run: Run, status: number, body: Readable, { status: wanted, body: text }: HttpQuestion): void {
  if (!within(wanted, status)) {
    run.fail(`status ${status}`)
    return
  }
  run.waitingFor = 'the end of the answer'
  const chunks: Buffer[] = []
  let length = 0
  const whole = (): void => {
    if (text === undefined || Buffer.concat(chunks).subarray(0, BODY_BYTES).includes(text)) run.pass()
    else run.fail(`status ${status}, but the body does not contain ${JSON.stringify(text)}`)
  }
  body.on('data', (chunk: Buffer) => {
    if (length >= BODY_BYTES) return
    length += chunk.length
    if (text !== undefined) chunks.push(chunk)
    if (length >= BODY_BYTES) whole()
  })
  body.on('end', whole)
  body.on('error', () => run.fail('the answer broke off'))
}
