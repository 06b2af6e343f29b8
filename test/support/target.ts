import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { freePort, portFor } from './ports.ts'

/** What a target saw of a request. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export interface TestTarget {
  readonly origin: string
  readonly port: number
  readonly server: http.Server
  /** Every request, in order, once its body was read. */
  readonly seen: readonly Seen[]
  close(): Promise<void>
}

export type Answer = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void

const ok: Answer = (_seen, response) => {
  response.setHeader('content-type', 'text/plain')
  response.end('ok')
}

/** An HTTP target in this process that reads each request whole and then answers. Closed when the test ends. */
export async function startTarget(t: Pick<TestContext, 'after'>, answer: Answer = ok): Promise<TestTarget> {
  const seen: Seen[] = []
  const target = await listen((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request
      const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString('latin1') }
      seen.push(one)
      answer(one, response, request)
    })
  })
  t.after(() => target.close())
  return { ...target, seen }
}

/** An HTTP target that does with each request what `listener` does. */
export async function listen(listener: RequestListener): Promise<Omit<TestTarget, 'seen'>> {
  const server = http.createServer(listener)
  const port = await portFor(server)
  const close = (): Promise<void> => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  }
  return { origin: `http://127.0.0.1:${port}`, port, server, close }
}

/** An origin on which nobody listens. */
export async function deadOrigin(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`
}
