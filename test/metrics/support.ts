import assert from 'node:assert/strict'
import type { Format } from '../../plugins/metrics/exposition/page.ts'
import { render } from '../../plugins/metrics/exposition/render.ts'
import { requestFamilies } from '../../plugins/metrics/exposition/request-families.ts'
import { targetFamilies } from '../../plugins/metrics/exposition/target-families.ts'
import { upstreamFamilies } from '../../plugins/metrics/exposition/upstream-families.ts'
import { type Ended, Recorder } from '../../plugins/metrics/recording/recorder.ts'
import type { RouteSeries } from '../../plugins/metrics/recording/route-series.ts'
import type { Outcome, Target } from '../../plugins/upstreams/contract.ts'
import type { Exchange } from '../../plugins/upstreams/exchange.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { TargetState } from '../../plugins/upstreams/target.ts'
import { virtualClock } from '../support/dice.ts'

interface AttemptShape {
  readonly kind?: string
  readonly decision?: string
  readonly outcome: 'ok' | 'reset'
}

export const answered = (status: number, latencyMs: number): Outcome => ({
  kind: 'answered',
  status,
  latencyMs,
})

function exchangeOf({
  upstreamMs = 5,
  broken = false,
  attempts = [{ outcome: 'ok' }],
}: {
  upstreamMs?: number
  broken?: boolean
  attempts?: readonly AttemptShape[]
}): Exchange {
  return {
    plan: { route: '/a', upstream: 'main' },
    upstreamMs,
    broken,
    attempts: attempts.map(({ kind = 'first', decision = 'commit', outcome }) => ({
      kind,
      decision,
      outcome:
        outcome === 'ok'
          ? answered(200, 5)
          : { kind: 'failed', reason: 'reset', requestSent: true, latencyMs: 5 },
    })),
  } as unknown as Exchange
}

function origin(i: number): string {
  return `http://10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080`
}

/** A recorder of the routes `/a` and `/b` and the upstream `main`, whose first target is `target`. */
export function recorderFor({
  targets = 1,
  perTarget = 'counters',
  exemplars = true,
}: {
  targets?: number
  perTarget?: 'counters' | 'histograms'
  exemplars?: boolean
} = {}) {
  const clock = virtualClock()
  clock.advance(2_000_000)
  const specs = Array.from({ length: targets }, (_, i) => ({ origin: origin(i) }))
  const { upstreams } = new Registry(
    { now: clock.now, random: () => 0.5 },
    { main: { targets: specs, capacity: 10 } },
  )
  const options = {
    routes: () => ['/a', '/b', '/a'],
    upstreams: ['main'],
    buckets: [10, 100, 1000],
    perTarget,
    exemplars,
  }
  const recorder = new Recorder(options, clock.now)
  recorder.addRoutes()
  const all = upstreams.get('main')?.targets as readonly Target[]
  for (const target of all) recorder.fleet?.follow(target)
  let next = targets
  const state = (from: string): Target =>
    new TargetState('main', { origin: from, weight: 1, tier: 0, zone: '' })
  const page = (format: Format): Generator<string> =>
    render(
      [
        ...requestFamilies(recorder, 0),
        ...upstreamFamilies(recorder, upstreams),
        ...(recorder.fleet === undefined
          ? []
          : targetFamilies(recorder.fleet, upstreams, perTarget === 'histograms')),
      ],
      format,
    )
  return {
    recorder,
    upstreams,
    clock,
    target: all[0] as Target,
    /** A request of `/a` that ends. */
    request(
      end: Partial<Ended> & { route?: string; id?: string; traced?: boolean } = {},
      exchange: Parameters<typeof exchangeOf>[0] = {},
      code?: string,
    ): void {
      const { route = '/a', id = 'request-1', traced = false, ...rest } = end
      const whole = {
        startedAt: clock.now(),
        totalMs: 20,
        status: 200,
        aborted: false,
        bytesSent: 100,
        bytesReceived: 50,
        ...rest,
      }
      recorder.ended(recorder.routes.get(route) as RouteSeries, whole, exchangeOf(exchange), code, id, traced)
    },
    /** A target that was not there before, followed already. */
    add(): Target {
      const target = state(origin(next++))
      recorder.fleet?.follow(target)
      return target
    },
    /** Another one of the same origin. */
    again: ({ origin: same }: Target): Target => state(same),
    page,
    /** The samples of a page in the text format, by name and labels. */
    samples: (): Map<string, number> => samplesOf([...page('text')].join('')),
  }
}

/** The samples of a page, by name and labels. Fails if one is there twice. */
export function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, series, value] = /^(\S+?(?:\{.*?\})?) (\S+)(?: # .*)?$/.exec(line) ?? []
    assert.ok(series !== undefined, `not a sample: ${line}`)
    assert.ok(!samples.has(series), `there twice: ${series}`)
    samples.set(series, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value))
  }
  return samples
}
