import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Lease } from '../upstreams/contract.ts'
import { DeadlineError } from './errors.ts'
import type { Route } from './route.ts'

/** What the target is asked. */
export interface HandshakeRequest {
  readonly method: string
  readonly path: string
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  readonly protocol: string
}

export type Handshake = ClientRequest & {
  /** A byte of it may have reached the target. */
  requestSent: boolean
}

/** Headers of a 101 that would only confuse: the connection is not HTTP's any more. */
const NOT_IN_HANDSHAKE = new Set([
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'trailer',
  'proxy-authenticate',
])

const MAY_BE_BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

/** Node would announce a body in chunks for the other methods; an upgrade has none. */
function noBody({ method, headers }: HandshakeRequest): string[] {
  return MAY_BE_BODILESS.has(method) || headers.includes('content-length') ? [] : ['content-length', '0']
}

/**
 * Sends the request for an upgrade over a connection of its own.
 * @returns the request, whose `upgrade`, `response` and `error` events tell what came of it
 */
export function sendHandshake(lease: Lease, { config, pool }: Route, options: HandshakeRequest): Handshake {
  const { address } = pool(lease.target)
  const secure = address.tls !== undefined
  const { connect, response } = config.timeouts
  const sent = (secure ? https.request : http.request)({
    method: options.method,
    path: options.path,
    headers: [...options.headers, ...noBody(options), 'connection', 'upgrade', 'upgrade', options.protocol],
    agent: false,
    // The end of one direction must not be the end of the other.
    allowHalfOpen: true,
    maxHeaderSize: config.responseHeaderLimit,
    ...('path' in address.connect ? { socketPath: address.connect.path } : address.connect),
    ...address.tls,
  } as http.RequestOptions & { allowHalfOpen: boolean })
  const request = Object.assign(sent, { requestSent: false })
  const limit = (ms: number, phase: string): NodeJS.Timeout | undefined =>
    ms === 0 ? undefined : setTimeout(() => request.destroy(new DeadlineError(phase)), ms)
  let timer = limit(connect, 'a connection')
  request.once('socket', (socket) =>
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      request.requestSent = true
      clearTimeout(timer)
      timer = limit(response, 'the handshake')
    }),
  )
  for (const event of ['upgrade', 'response', 'close']) request.once(event, () => clearTimeout(timer))
  request.end()
  return request
}

/** The 101's headers as the target gave them, in its own order and spelling. */
export function handshakeHeaders({ rawHeaders }: IncomingMessage): string[] {
  const kept: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (!NOT_IN_HANDSHAKE.has(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] as string)
  }
  return kept
}
