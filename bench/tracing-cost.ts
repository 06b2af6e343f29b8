/**
 * What tracing costs a request, by itself: nanoseconds and bytes on the heap for all that is done from its beginning
 * to its end besides serving it: its place in the trace, the logger that knows of it, the headers of an attempt, and
 * the spans. No network: spans go to nobody. `node --expose-gc bench/tracing-cost.ts [--requests 200000] [--rounds 7]`
 */
import { randomFillSync } from 'node:crypto'
import { parseArgs } from 'node:util'
import pino from 'pino'
import { Exporter } from '../plugins/tracing/exporter.ts'
import { randomIds } from '../plugins/tracing/ids.ts'
import { exportRequest, spanText } from '../plugins/tracing/otlp.ts'
import { worthKeeping } from '../plugins/tracing/sampling.ts'
import { type ExchangeFacts, exchangeSpans } from '../plugins/tracing/spans.ts'
import { beginTrace, type Trace, writeTrace } from '../plugins/tracing/trace.ts'
import { SAMPLED } from '../plugins/tracing/traceparent.ts'
import type { AttemptRecord } from '../plugins/upstreams/exchange.ts'
import { testTarget } from '../test/support/test-targets.ts'

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '200000' }, rounds: { type: 'string', default: '7' } },
})
const requests = Number(values.requests)
const rounds = Number(values.rounds)
const gc = (globalThis as { gc?: () => void }).gc

const CALLER = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const HEADERS = [
  ...['host', 'api.example.com', 'accept', '*/*', 'accept-encoding', 'gzip', 'user-agent', 'bench'],
  ...['x-forwarded-for', '10.0.0.9', 'x-forwarded-proto', 'http', 'x-forwarded-host', 'api.example.com'],
  ...['x-request-id', 'abcdef-1', 'via', '1.1 holdfast'],
]
const log = pino({ level: 'info' }, { write() {} })
const ids = randomIds(Buffer.alloc(8192), randomFillSync)
const record: AttemptRecord = {
  target: testTarget(1),
  kind: 'first',
  outcome: { kind: 'answered', status: 200, latencyMs: 2 },
  decision: 'commit',
  startedAt: 1,
  sentAt: 1.2,
  endedAt: 3,
  spanId: undefined,
}
const facts: ExchangeFacts = {
  method: 'GET',
  path: '/users/42',
  scheme: 'http',
  httpVersion: '1.1',
  host: 'api.example.com',
  port: undefined,
  client: '10.0.0.9',
  peer: '10.0.0.9',
  userAgent: 'bench',
  requestId: 'abcdef-1',
  route: '/users/*',
  template: '/users/*',
  status: 200,
  aborted: false,
  broken: false,
  error: undefined,
  startedAt: 0.5,
  endedAt: 3.5,
  upstream: 'users',
  targetPath: '/users/42',
  attempts: [record],
}
const bodyOf = exportRequest({ 'service.name': 'bench' }, { name: 'holdfast', version: '0' })
let bytes = 0
const exporter = new Exporter(
  {
    now: () => 0,
    random: () => 0,
    schedule: () => () => {},
    // Put together as for a collector, whose connection and compression are not this thread's.
    async send(spans) {
      bytes += bodyOf(spans).length
      return { taken: true, rejected: 0 }
    },
    changed() {},
  },
  4096,
  1000,
)
const sample = { ratio: 1, errors: true, slowerThan: 1000 }
const end = { status: 200, aborted: false, totalMs: 3 }

function served(caller: string | undefined, ratio: number): void {
  const child = log.child({ reqId: 'abcdef-1' })
  const trace: Trace = beginTrace(caller, undefined, caller !== undefined, ids, ratio)
  child.setBindings({ traceId: trace.traceId, spanId: trace.spanId })
  const headers = [...HEADERS]
  record.spanId = ids.span()
  writeTrace(headers, trace, record.spanId)
  if ((trace.flags & SAMPLED) === 0 && !worthKeeping(end, sample)) return
  const offset = Date.now() - performance.now()
  for (const span of exchangeSpans(facts, trace, offset)) exporter.add(spanText(span))
}

const MODES: Readonly<Record<string, () => void>> = {
  off: () => {
    log.child({ reqId: 'abcdef-1' })
    const headers = [...HEADERS]
    bytes += headers.length
  },
  'on, not sampled': () => served(undefined, 0),
  "on, a caller's trace": () => served(CALLER.replace(/1$/, '0'), 0),
  'on, sampled': () => served(undefined, 1),
}

interface Cost {
  readonly ns: number
  readonly bytes: number
}

async function once(run: () => void): Promise<Cost> {
  gc?.()
  const heap = process.memoryUsage().heapUsed
  run()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 200; i++) run()
  const grown = (process.memoryUsage().heapUsed - before) / 200
  const from = process.hrtime.bigint()
  for (let i = 0; i < requests; i++) {
    run()
    // What was sent is done with, as between requests.
    if (i % 256 === 0) await undefined
  }
  const ns = Number(process.hrtime.bigint() - from) / requests
  return { ns, bytes: heap === 0 ? 0 : grown }
}

const middle = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number

console.log(`${requests} requests, the median of ${rounds} rounds`)
console.log(
  `${'tracing'.padEnd(24)}${'ns/request'.padStart(12)}${'more'.padStart(10)}${'bytes'.padStart(10)}`,
)
let off: number | undefined
for (const [name, run] of Object.entries(MODES)) {
  await once(run)
  const costs: Cost[] = []
  for (let round = 0; round < rounds; round++) costs.push(await once(run))
  const ns = middle(costs.map((cost) => cost.ns))
  off ??= ns
  const grown = gc === undefined ? '-' : middle(costs.map((cost) => cost.bytes)).toFixed(0)
  console.log(
    `${name.padEnd(24)}${ns.toFixed(0).padStart(12)}${`+${(ns - off).toFixed(0)}`.padStart(10)}${grown.padStart(10)}`,
  )
}
if (exporter.exported + bytes === 0) throw new Error('nothing was exported')
