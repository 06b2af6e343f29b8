import { rounded } from '../config/rounded.ts'
import type { Target, Upstream } from '../upstreams/contract.ts'
import type { Opinion } from '../upstreams/events.ts'
import type { Veto } from '../upstreams/health-source.ts'
import type { Traffic } from '../upstreams/measures.ts'
import type { Recorder } from './recording/recorder.ts'
import { ROUTE_SCALE } from './recording/route-series.ts'
import { TARGET_SCALE, type TargetSeries } from './recording/target-series.ts'
import { Summary } from './summary.ts'

/** What came of the last minutes. */
export interface WindowStats {
  /** What the window really spans: it moves on in steps. */
  readonly seconds: number
  readonly count: number
  /** Per second. */
  readonly rate: number
  /** Null without requests, as the latencies are. */
  readonly errorRatio: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
}

export type Windows = Readonly<Record<'1m' | '5m', WindowStats>>

/** Requests of a route, or of all. */
export interface TrafficStats {
  readonly name: string
  /** Since the start. */
  readonly requests: number
  readonly errors: number
  readonly windows: Windows
}

export interface TargetStats {
  readonly target: string
  readonly tier: number
  readonly zone: string
  readonly weight: number
  readonly share: number
  readonly inflight: number
  readonly waiting: number
  /** `eligible`: a request could get it now. `draining`: finishes what it has. `out`: a veto or its tier keeps it out. */
  readonly state: 'eligible' | 'draining' | 'out'
  /** Why health sources veto it, by their names. */
  readonly vetoes: Readonly<Record<string, Veto>>
  /** Names of those that want less traffic for it. */
  readonly slowedBy: readonly string[]
  /** Attempts that ended, since the start; null where targets are not told apart. */
  readonly attempts: number | null
  readonly lastEvent: { readonly name: string; readonly why: string; readonly secondsAgo: number } | null
  /** Null where targets are not told apart (`perTarget: false`). */
  readonly windows: Windows | null
}

export interface UpstreamStats {
  readonly name: string
  /** Since the start. */
  readonly requests: number
  readonly errors: number
  readonly windows: Windows
  /** How many targets there are, and how many of them a request could get now. */
  readonly size: number
  readonly eligible: number
  readonly inflight: number
  readonly panic: boolean
  readonly tiersInUse: readonly number[]
  /** None where they were not asked for (`?targets=false`). */
  readonly targets: readonly TargetStats[]
}

/** The process itself. */
export interface ProcessStats {
  readonly version: string
  /** Seconds, over the last minute. */
  readonly eventLoop: {
    readonly p50: number
    readonly p99: number
    readonly max: number
    readonly utilization: number
  }
  readonly residentBytes: number
  /** Of clients, that are open. */
  readonly connections: number
}

/** What `GET /stats` answers. */
export interface Stats {
  /** ISO 8601. */
  readonly at: string
  readonly uptimeSeconds: number
  /** By how much a latency may be off, as a ratio. */
  readonly errorBounds: { readonly routes: number; readonly targets: number }
  readonly gateway: ProcessStats
  readonly total: TrafficStats
  readonly routes: readonly TrafficStats[]
  readonly upstreams: readonly UpstreamStats[]
}

function trafficStats(name: string, { requests, errors }: Traffic, windows: Windows): TrafficStats {
  return { name, requests, errors, windows }
}

function targetStats(
  target: Target,
  series: TargetSeries | undefined,
  eligible: ReadonlySet<Target>,
  opinions: readonly Opinion[],
  summary: Summary,
  now: number,
): TargetStats {
  const { origin, tier, zone, weight, share, inflight, waiting, draining } = target
  const last = series?.lastEvent
  return {
    target: origin,
    tier,
    zone,
    weight,
    share,
    inflight,
    waiting,
    state: draining ? 'draining' : eligible.has(target) ? 'eligible' : 'out',
    vetoes: Object.fromEntries(opinions.flatMap(({ by, veto }) => (veto === undefined ? [] : [[by, veto]]))),
    slowedBy: opinions.filter(({ veto, share }) => veto === undefined && share < 1).map(({ by }) => by),
    attempts: series === undefined ? null : series.attempts.reduce((sum, count) => sum + count, 0),
    lastEvent:
      last === undefined
        ? null
        : { name: last.name, why: last.why, secondsAgo: rounded((now - last.at) / 1000) },
    windows:
      series === undefined ? null : summary.of('targets', series.recent === undefined ? [] : [series.recent]),
  }
}

/**
 * The JSON of `Stats`, piece by piece: there may be ten thousand targets.
 * @param facts what is known of the process
 * @param opinionsOn what is held against a target; undefined where targets are to be left out
 */
export function* statsText(
  recorder: Recorder,
  upstreams: ReadonlyMap<string, Upstream>,
  now: number,
  facts: Pick<Stats, 'at' | 'uptimeSeconds' | 'gateway'>,
  opinionsOn: ((target: Target) => readonly Opinion[]) | undefined,
): Generator<string> {
  const summary = new Summary(now)
  const routes = [...recorder.routes.values(), recorder.none, recorder.local]
  const configured = [...recorder.routes.values()].map(({ recent }) => recent)
  const head = {
    ...facts,
    errorBounds: { routes: ROUTE_SCALE.error, targets: TARGET_SCALE.error },
    total: trafficStats('total', recorder.measures.total(), summary.of('routes', configured)),
  }
  yield `${JSON.stringify(head).slice(0, -1)},"routes":[`
  for (const [i, { name, traffic, recent }] of routes.entries()) {
    yield (i === 0 ? '' : ',') + JSON.stringify(trafficStats(name, traffic, summary.of('routes', [recent])))
  }
  yield '],"upstreams":['
  let first = true
  for (const [name, { traffic, panic, recent }] of recorder.upstreams) {
    const upstream = upstreams.get(name)
    if (upstream === undefined) continue
    const eligible = new Set(upstream.eligible())
    const tiersInUse = [...new Set([...eligible].map(({ tier }) => tier))].sort((a, b) => a - b)
    const { targets } = upstream
    const about = JSON.stringify({
      ...trafficStats(name, traffic, summary.of('routes', [recent])),
      size: targets.length,
      eligible: eligible.size,
      inflight: targets.reduce((sum, { inflight }) => sum + inflight, 0),
      panic,
      tiersInUse,
    })
    yield `${first ? '' : ','}${about.slice(0, -1)},"targets":[`
    first = false
    for (const [i, target] of (opinionsOn === undefined ? [] : targets).entries()) {
      const series = recorder.fleet?.of(target)
      const stats = targetStats(target, series, eligible, opinionsOn?.(target) ?? [], summary, now)
      yield (i === 0 ? '' : ',') + JSON.stringify(stats)
    }
    yield ']}'
  }
  yield ']}'
}
