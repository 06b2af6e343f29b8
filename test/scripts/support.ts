import type { Stats, TargetStats, UpstreamStats, WindowStats, Windows } from '../../plugins/metrics/stats.ts'
import type { Alert, Look } from '../../scripts/top/look.ts'

const windows = (window: Partial<WindowStats>): Windows => {
  const { rate = 0 } = window
  const one: WindowStats = {
    seconds: 60,
    count: rate * 60,
    rate,
    errorRatio: rate === 0 ? null : 0,
    p50Ms: rate === 0 ? null : 2,
    p95Ms: rate === 0 ? null : 9,
    p99Ms: rate === 0 ? null : 21,
    ...window,
  }
  return { '1m': one, '5m': one }
}

export const routeOf = (name: string, requests = 0, window: Partial<WindowStats> = {}) => ({
  name,
  requests,
  errors: 0,
  windows: windows(window),
})

export const targetOf = (
  target: string,
  more: Partial<Omit<TargetStats, 'windows'>> & { window?: Partial<WindowStats> | null } = {},
): TargetStats => {
  const { window = { rate: 4 }, ...rest } = more
  return {
    target,
    tier: 0,
    zone: '',
    weight: 1,
    share: 1,
    inflight: 0,
    waiting: 0,
    state: 'eligible',
    vetoes: {},
    slowedBy: [],
    attempts: 100,
    lastEvent: null,
    windows: window === null ? null : windows(window),
    ...rest,
  }
}

export const upstreamOf = (
  name: string,
  targets: readonly TargetStats[],
  more: Partial<UpstreamStats> = {},
  window: Partial<WindowStats> = { rate: 8 },
): UpstreamStats => ({
  name,
  requests: 200,
  errors: 0,
  windows: windows(window),
  size: targets.length,
  eligible: targets.filter(({ state }) => state === 'eligible').length,
  inflight: targets.reduce((sum, { inflight }) => sum + inflight, 0),
  panic: false,
  tiersInUse: [0],
  targets,
  ...more,
})

export function lookOf(
  parts: Partial<Pick<Stats, 'routes' | 'upstreams' | 'uptimeSeconds'>>,
  { at = 1000, alerts }: { at?: number; alerts?: readonly Alert[] } = {},
): Look {
  const stats: Stats = {
    at: '2026-11-25T12:00:00.000Z',
    uptimeSeconds: 11_580,
    errorBounds: { routes: 0.02, targets: 0.05 },
    gateway: {
      version: '0.1.0',
      eventLoop: { p50: 0.0001, p99: 0.0012, max: 0.008, utilization: 0.23 },
      residentBytes: 88 * 1024 ** 2,
      connections: 120,
    },
    total: routeOf('total', 90_000, { rate: 415.4, errorRatio: 0.0021 }),
    routes: [],
    upstreams: [],
    ...parts,
  }
  return { stats, alerts, at, withTargets: true }
}
