import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Server } from 'node:net'
import type { TestContext } from 'node:test'
import tls from 'node:tls'
import type { HttpQuestion } from '../../plugins/health-check/checks/http.ts'
import type { Limits } from '../../plugins/health-check/checks/run.ts'
import type { Address } from '../../plugins/health-check/checks/socket.ts'
import { createAuthority } from '../support/certificates.ts'
import { portFor } from '../support/ports.ts'

type Ending = Pick<TestContext, 'after'>

export const authority = createAuthority()
export const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })

export const plainAt = (port: number): Address => ({
  connect: { host: '127.0.0.1', port },
  hostHeader: `127.0.0.1:${port}`,
  tls: undefined,
})

/** @param ca the authority that is trusted */
export const secureAt = (port: number, ca = authority.cert): Address => ({
  ...plainAt(port),
  tls: { secureContext: tls.createSecureContext({ ca }), rejectUnauthorized: true, servername: '' },
})

export const limits = (timeout = 5000): Limits => ({ timeout, signal: new AbortController().signal })

export const question = (more: Partial<HttpQuestion> = {}): HttpQuestion => ({
  path: '/healthz',
  method: 'GET',
  headers: {},
  host: undefined,
  status: [[200, 299]],
  body: undefined,
  http2: false,
  ...more,
})

/** The port of a server that is closed when the test ends, connections and all. */
export async function listening(t: Ending, server: Server): Promise<number> {
  const open = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => open.add(socket))
  const port = await portFor(server)
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return port
}

type OnStream = (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders, body: Buffer) => void

/** A server of HTTP/2, by prior knowledge or over TLS, that reads each request whole. */
export function http2Server(answer: OnStream, { secure = false } = {}): Server {
  const server = secure ? http2.createSecureServer({ cert: own.cert, key: own.key }) : http2.createServer()
  server.on('session', (session: ServerHttp2Session) => session.on('error', () => {}))
  server.on('stream', (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => answer(stream, headers, Buffer.concat(chunks)))
  })
  return server as unknown as Server
}
