/**
 * What metrics cost: nanoseconds and bytes on the heap for each request that is recorded, and how long a page with ten
 * thousand targets takes. `node --expose-gc bench/metrics-cost.ts [--requests 300000] [--rounds 9] [--targets 10000]`
 *
 * A request is recorded as the gateway does it: one outcome of an attempt when the target has answered, and the end of
 * the request, with its exchange. Of every 50 requests one had a retry, and one an error of the gateway's own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { render } from '../plugins/metrics/exposition/render.ts'
import { requestFamilies } from '../plugins/metrics/exposition/request-families.ts'
import { targetFamilies } from '../plugins/metrics/exposition/target-families.ts'
import { upstreamFamilies } from '../plugins/metrics/exposition/upstream-families.ts'
import { Recorder } from '../plugins/metrics/recording/recorder.ts'
import { statsText } from '../plugins/metrics/stats.ts'
import type { Outcome, Target } from '../plugins/upstreams/contract.ts'
import type { Exchange } from '../plugins/upstreams/exchange.ts'
import { Registry } from '../plugins/upstreams/registry.ts'
import { seededDice } from '../test/support/dice.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '300000' },
    rounds: { type: 'string', default: '9' },
    targets: { type: 'string', default: '10000' },
  },
})
const requests = Number(values.requests)
const rounds = Number(values.rounds)
const gc = (globalThis as { gc?: () => void }).gc
const random = seededDice(1)
const now = () => performance.now()

const ROUTES = 20
const routes = () => Array.from({ length: ROUTES }, (_, i) => `/route-${i}/*`)
const UPSTREAMS = ['users', 'orders', 'media']

interface Recorded {
  readonly exchange: Exchange
  readonly target: Target
  readonly outcome: Outcome
  readonly end: Parameters<Recorder['ended']>[1]
  readonly code: string | undefined
  readonly id: string
}

function registryOf(targets: number): Registry {
  const specs = UPSTREAMS.map((name, i) => [
    name,
    {
      targets: Array.from({ length: Math.ceil(targets / UPSTREAMS.length) }, (_, n) => ({
        origin: `http://10.${i}.${n >> 8}.${n & 255}:8080`,
      })),
      capacity: 1000,
    },
  ])
  return new Registry({ now, random }, Object.fromEntries(specs))
}

function recorderOf(registry: Registry, perTarget: 'counters' | 'histograms' = 'counters'): Recorder {
  const buckets = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000]
  const recorder = new Recorder({ routes, upstreams: UPSTREAMS, buckets, perTarget, exemplars: true }, now)
  recorder.addRoutes()
  for (const { targets } of registry.upstreams.values()) {
    for (const target of targets) recorder.fleet?.follow(target)
  }
  return recorder
}

/** Requests of all kinds, made beforehand so that making them is not measured. */
function traffic(registry: Registry): Recorded[] {
  return Array.from({ length: 8192 }, (_, i) => {
    const upstream = UPSTREAMS[i % UPSTREAMS.length] as string
    const { targets } = registry.upstream(upstream)
    const target = targets[Math.floor(random() * targets.length)] as Target
    const latencyMs = 2 + 20 * random() ** 4 * 10
    const status = i % 50 === 7 ? 503 : 200
    const outcome: Outcome = { kind: 'answered', status, latencyMs }
    const first = { target, kind: 'first', outcome, decision: 'commit' }
    const attempts = i % 50 === 3 ? [first, { ...first, kind: 'retry' }] : [first]
    return {
      exchange: {
        plan: { route: `/route-${i % ROUTES}/*`, upstream },
        attempts,
        upstreamMs: latencyMs,
      } as unknown as Exchange,
      target,
      outcome,
      end: {
        startedAt: 1000 + i,
        totalMs: latencyMs + random(),
        status,
        aborted: false,
        bytesSent: 900,
        bytesReceived: 300,
      },
      code: i % 50 === 7 ? 'GTW_OVERLOADED' : undefined,
      id: `0123456789abcdef-${i}`,
    }
  })
}

/** CPU time of this process in milliseconds: what others do on the machine is not in it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Buffers are freed a while after the collection that found them. */
async function collected(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    gc?.()
    await sleep(50)
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number
}

function measureRecording(): void {
  const registry = registryOf(300)
  const recorder = recorderOf(registry)
  const all = traffic(registry)
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const { exchange, target, outcome, end, code, id } = all[i & 8191] as Recorded
      recorder.settled(target, outcome)
      const route = recorder.routes.get(exchange.plan.route)
      if (route !== undefined) recorder.ended(route, end, exchange, code, id, false)
    }
  }
  run(requests)
  const times: number[] = []
  const bytes: number[] = []
  for (let round = 0; round < rounds; round++) {
    gc?.()
    const before = process.memoryUsage().heapUsed
    const began = cpuMs()
    run(requests)
    times.push(((cpuMs() - began) * 1e6) / requests)
    bytes.push((process.memoryUsage().heapUsed - before) / requests)
  }
  const spread = `${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)}`
  console.log(`recording a request: ${median(times).toFixed(0)} ns (median of ${rounds} rounds; ${spread})`)
  if (gc !== undefined) console.log(`                     ${median(bytes).toFixed(1)} bytes on the heap`)
}

function measurePage(name: string, page: () => Iterable<string>): void {
  const totals: number[] = []
  const longest: number[] = []
  let size = 0
  for (let round = 0; round < rounds; round++) {
    size = 0
    let slowest = 0
    const began = cpuMs()
    let last = now()
    for (const slice of page()) {
      // As it is sent: a string that was put together is copied only now.
      size += Buffer.from(slice).length
      const here = now()
      slowest = Math.max(slowest, here - last)
      last = here
    }
    totals.push(cpuMs() - began)
    longest.push(slowest)
  }
  const mib = (size / 2 ** 20).toFixed(1)
  console.log(
    `${name}: ${mib} MiB in ${median(totals).toFixed(0)} ms of CPU time, longest slice ${median(longest).toFixed(1)} ms`,
  )
}

async function measurePages(perTarget: 'counters' | 'histograms'): Promise<void> {
  const registry = registryOf(Number(values.targets))
  await collected()
  const before = process.memoryUsage()
  const recorder = recorderOf(registry, perTarget)
  // Each target has latencies over a hundredfold range, in all parts of its window's first minutes.
  for (const { targets } of registry.upstreams.values()) {
    for (const target of targets) {
      for (let i = 0; i < 20; i++)
        recorder.settled(target, { kind: 'answered', status: 200, latencyMs: 100 ** random() })
    }
  }
  await collected()
  const after = process.memoryUsage()
  const grown = (after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers) / 2 ** 20
  if (gc !== undefined) console.log(`${values.targets} targets, ${perTarget}: ${grown.toFixed(1)} MiB held`)
  const upstreams = registry.upstreams
  measurePage('  /metrics', () =>
    render(
      [
        ...requestFamilies(recorder, performance.timeOrigin),
        ...upstreamFamilies(recorder, upstreams),
        ...(recorder.fleet === undefined
          ? []
          : targetFamilies(recorder.fleet, upstreams, perTarget === 'histograms')),
      ],
      'openmetrics',
    ),
  )
  const eventLoop = { p50: 0, p99: 0, max: 0, utilization: 0 }
  const gateway = { version: '', eventLoop, residentBytes: 0, connections: 0 }
  if (perTarget === 'counters')
    measurePage('  /stats', () =>
      statsText(recorder, upstreams, now(), { at: '', uptimeSeconds: 1, gateway }, () => []),
    )
}

measureRecording()
await measurePages('counters')
await measurePages('histograms')
