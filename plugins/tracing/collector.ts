import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Sent } from './exporter.ts'
import { rejectedSpans } from './otlp.ts'

/** Statuses after which OTLP has a client try again. */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504])
const LONGEST_ANSWER = 64 * 1024

export interface CollectorOptions {
  /** Where traces are posted to. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly compression: 'gzip' | 'none'
  /** Milliseconds for one batch. */
  readonly timeout: number
}

export interface Collector {
  post(body: string): Promise<Sent>
  /** Ends what is under way. */
  close(): void
}

/** The address of traces: `/v1/traces` where the endpoint has no path of its own (OTLP/HTTP). */
export function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint)
  if (url.pathname === '/') url.pathname = '/v1/traces'
  return url.href
}

function afterMs(value: string | undefined, wallClock: () => number): number | undefined {
  if (value === undefined) return undefined
  const at = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - wallClock()
  return Number.isNaN(at) ? undefined : Math.max(0, at)
}

async function read(response: IncomingMessage): Promise<Sent> {
  const { statusCode = 0, headers } = response
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) if (body.length < LONGEST_ANSWER) body += chunk
  if (statusCode >= 200 && statusCode < 300) return { taken: true, rejected: rejectedSpans(body) }
  const again = LATER.has(statusCode)
  return {
    taken: false,
    again,
    afterMs: afterMs(headers['retry-after'], Date.now),
    why: `the collector answered ${statusCode}`,
  }
}

/** OTLP/JSON over HTTP, on one connection that is kept. */
export function openCollector({ url, headers, compression, timeout }: CollectorOptions): Collector {
  const { request, Agent } = url.startsWith('https:') ? https : http
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const compress = promisify<string, Buffer>(gzip)
  const zipped = compression === 'gzip'

  const exchange = (body: Buffer | string): Promise<Sent> =>
    new Promise((resolve, reject) => {
      const sent = request(url, {
        method: 'POST',
        agent,
        headers: {
          ...headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...(zipped ? { 'content-encoding': 'gzip' } : {}),
        },
        signal: AbortSignal.timeout(timeout),
      })
      sent.on('error', reject)
      sent.on('response', (response) => read(response).then(resolve, reject))
      sent.end(body)
    })

  return {
    async post(body) {
      try {
        return await exchange(zipped ? await compress(body) : body)
      } catch (error) {
        const { name, code, message } = error as Error & { code?: string }
        const late = name === 'AbortError' || name === 'TimeoutError'
        const why = late ? `no answer within ${timeout} ms` : (code ?? message)
        return { taken: false, again: true, afterMs: undefined, why }
      }
    },
    close: () => agent.destroy(),
  }
}
