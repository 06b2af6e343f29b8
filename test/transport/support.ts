import http, { type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { startGateway } from '../support/gateway.ts'

export interface Gateway {
  readonly app: FastifyInstance
  readonly port: number
  readonly url: string
}

interface Setup {
  readonly upstream?: object
  readonly route?: object
  readonly server?: object
  /** More upstreams, by name. */
  readonly others?: object
  /** Routes besides the one that takes everything. */
  readonly routes?: readonly object[]
  readonly use?: (app: FastifyInstance) => Promise<void>
}

/**
 * A gateway whose one route sends everything to the targets at `origins`. It does not hedge unless `upstream.failover`
 * says so: on a slow machine a test would count requests that it did not make.
 */
export async function gatewayTo(
  t: Pick<TestContext, 'after'>,
  origins: string | readonly string[],
  { upstream, route, server, others, routes = [], use }: Setup = {},
): Promise<Gateway> {
  const targets = [origins].flat().map((origin) => ({ origin }))
  const gateway = await startGateway(
    {
      ...(server === undefined ? {} : { server }),
      upstreams: { main: { targets, failover: { hedge: false }, ...upstream }, ...others },
      routes: [...routes, { path: '/*', upstream: 'main', ...route }],
    } as object,
    use === undefined ? {} : { use },
  )
  // Not waited for: a closing gateway lingers, and the next test need not.
  t.after(() => {
    gateway.app.server.closeAllConnections()
    void gateway.app.close()
  })
  return gateway
}

export interface ClientAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** False if the connection broke before the answer's end. */
  readonly complete: boolean
}

interface Question extends RequestOptions {
  readonly url?: string
  readonly body?: string | Buffer | Readable
}

/** Asks the gateway and waits for all of the answer. Rejects if there is none. */
export function ask(port: number, { url = '/', body, ...options }: Question = {}): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', path: url, agent: false, ...options })
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => {})
      response.on('close', () => {
        const { statusCode = 0, headers, rawHeaders, complete } = response
        resolve({ status: statusCode, headers, rawHeaders, complete, body: Buffer.concat(chunks) })
      })
    })
    if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) body.pipe(request)
    else request.end(body)
  })
}

/** A client that speaks bytes. `received` is what has come so far; `until` waits for a text in it. */
export function rawClient(t: Pick<TestContext, 'after'>, port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  const client = {
    socket,
    received: '',
    closed: new Promise<void>((resolve) => socket.on('close', () => resolve())),
    until: (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          socket.off('data', look).off('close', gone)
          clearTimeout(timer)
        }
        const look = (): void => {
          if (!client.received.includes(text)) return
          end()
          resolve()
        }
        const gone = (): void => {
          end()
          reject(new Error(`no "${text}" in "${client.received.slice(0, 500)}"`))
        }
        const timer = setTimeout(gone, 5000)
        socket.on('data', look).on('close', gone)
        look()
        if (socket.closed) gone()
      }),
  }
  socket.on('data', (chunk) => {
    client.received += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  return client
}

/** Waits until something holds; for states that no event tells of. */
export async function eventually(holds: () => boolean, what: string, withinMs = 10_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not so within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Waits until a count has not grown for a while, and returns it. */
export async function settledCount(count: () => number): Promise<number> {
  let before = -1
  let since = performance.now()
  await eventually(() => {
    if (count() !== before) since = performance.now()
    before = count()
    return before > 0 && performance.now() - since > 150
  }, 'a count at rest')
  return before
}

/** Attempts under way, over all upstreams. */
export function inflight({ app }: Pick<Gateway, 'app'>): number {
  let count = 0
  for (const { targets } of app.upstreams.upstreams.values()) for (const one of targets) count += one.inflight
  return count
}

export const idle = (gateway: Pick<Gateway, 'app'>): Promise<void> =>
  eventually(() => inflight(gateway) === 0, 'nothing in flight')
