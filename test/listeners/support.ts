import { once } from 'node:events'
import http2, { type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2'
import https from 'node:https'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { startGateway } from '../support/gateway.ts'

export interface Http2Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Buffer
}

/** A gateway that forwards everything to `origin`, as `config` says otherwise. */
export async function gatewayTo(
  t: TestContext,
  origin: string,
  config: {
    server?: object
    upstream?: object
    route?: object
    routes?: object[]
    listeners?: object[]
  } = {},
  options: Parameters<typeof startGateway>[1] = {},
) {
  const { server = {}, upstream = {}, route = {}, routes, ...more } = config
  const started = await startGateway(
    {
      server,
      upstreams: { one: { targets: [{ origin }], ...upstream } },
      routes: routes ?? [{ path: '/*', upstream: 'one', ...route }],
      ...more,
    } as object,
    options,
  )
  // Not waited for: it lingers for what is still on its way to clients, and the process ends no sooner.
  t.after(() => void started.app.close())
  return started
}

export function session(
  t: TestContext,
  url: string,
  options: http2.SecureClientSessionOptions = {},
): ClientHttp2Session {
  const client = http2.connect(url, { maxSessionMemory: 100, ...options })
  client.on('error', () => {})
  t.after(() => client.destroy())
  return client
}

export async function ask(
  client: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: Buffer | string,
): Promise<Http2Answer> {
  const stream = client.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  const [got] = await once(stream, 'response')
  return { status: got[':status'] as number, headers: got, body: await buffer(stream) }
}

export async function askHttps(
  port: number,
  options: https.RequestOptions & { ALPNProtocols?: string[] },
): Promise<{ status: number; httpVersion: string; body: string }> {
  const request = https.get({ host: '127.0.0.1', port, agent: false, ...options })
  const [response] = await once(request, 'response')
  return {
    status: response.statusCode,
    httpVersion: response.httpVersion,
    body: String(await buffer(response)),
  }
}

export const inflight = (app: FastifyInstance): number =>
  app.upstreams.upstream('one').targets.reduce((sum, target) => sum + target.inflight, 0)

export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`never came true: ${what}`)
}
