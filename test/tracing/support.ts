import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { until } from '../support/until.ts'

/** A span as it came over the wire, its attributes as an object. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly flags: number
  readonly name: string
  readonly kind: number
  /** Nanoseconds since 1970. */
  readonly from: bigint
  readonly to: bigint
  readonly attributes: Record<string, unknown>
  readonly events: readonly { name: string; attributes: Record<string, unknown> }[]
  readonly links: readonly { traceId: string; spanId: string }[]
  readonly status?: { code: number }
}

interface Wire {
  readonly key: string
  readonly value: Record<string, unknown>
}

function plain(attributes: readonly Wire[] = []): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const [[kind, one]] = Object.entries(value) as [[string, unknown]]
      return [key, kind === 'intValue' ? Number(one) : one]
    }),
  )
}

export interface Receiver {
  readonly endpoint: string
  readonly port: number
  readonly spans: ReceivedSpan[]
  readonly requests: {
    headers: http.IncomingHttpHeaders
    resource: Record<string, unknown>
    scope: unknown
  }[]
  /** Spans of the trace that the given span is in, once there are so many. */
  tree(count: number): Promise<ReceivedSpan[]>
  /** What the next ones are answered with, instead of 200. */
  answers: ((response: http.ServerResponse) => void)[]
  close(): Promise<void>
}

/** An OTLP receiver that insists on what the protocol says. */
export async function startReceiver(t: Pick<TestContext, 'after'>, port = 0): Promise<Receiver> {
  const spans: ReceivedSpan[] = []
  const requests: Receiver['requests'] = []
  const answers: Receiver['answers'] = []
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const answer = answers.shift()
    if (answer !== undefined) {
      answer(response)
      return
    }
    if (request.method !== 'POST' || request.headers['content-type'] !== 'application/json') {
      response.writeHead(415).end()
      return
    }
    const bytes = Buffer.concat(chunks)
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
    const { resourceSpans } = JSON.parse(body.toString())
    for (const { resource, scopeSpans } of resourceSpans) {
      requests.push({
        headers: request.headers,
        resource: plain(resource.attributes),
        scope: scopeSpans[0].scope,
      })
      for (const span of scopeSpans.flatMap((scope: { spans: unknown[] }) => scope.spans)) {
        spans.push({
          ...span,
          from: BigInt(span.startTimeUnixNano),
          to: BigInt(span.endTimeUnixNano),
          attributes: plain(span.attributes),
          events: (span.events ?? []).map((event: { name: string; attributes: Wire[] }) => ({
            name: event.name,
            attributes: plain(event.attributes),
          })),
          links: span.links ?? [],
        })
      }
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const close = (): Promise<void> => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  }
  t.after(close)
  const bound = (server.address() as AddressInfo).port
  return {
    endpoint: `http://127.0.0.1:${bound}`,
    port: bound,
    spans,
    requests,
    answers,
    close,
    async tree(count) {
      await until(`${count} spans`, () => spans.length >= count)
      return spans.splice(0)
    },
  }
}
