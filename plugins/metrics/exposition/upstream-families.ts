import type { Upstream } from '../../upstreams/contract.ts'
import type { Recorder } from '../recording/recorder.ts'
import { RESULTS } from '../recording/traffic.ts'
import { ATTEMPTS, KINDS, type UpstreamSeries } from '../recording/upstream-series.ts'
import { type Family, labelText, type Page } from './page.ts'
import { writeHistogram } from './request-families.ts'

/** What is shown of upstreams as a whole. */
export function upstreamFamilies(recorder: Recorder, upstreams: ReadonlyMap<string, Upstream>): Family[] {
  const family = (
    name: string,
    type: Family['type'],
    help: string,
    labels: readonly string[],
    write: (page: Page, labels: string, series: UpstreamSeries, upstream: Upstream) => void,
  ): Family => ({
    name: `holdfast_upstream_${name}`,
    type,
    help,
    labels: ['upstream', ...labels],
    *write(page) {
      for (const [key, series] of recorder.upstreams) {
        const upstream = upstreams.get(key)
        if (upstream !== undefined) write(page, labelText(['upstream'], [key]), series, upstream)
        yield
      }
    },
  })
  const byName =
    (label: string, names: readonly string[], countsOf: (series: UpstreamSeries) => Float64Array) =>
    (page: Page, labels: string, series: UpstreamSeries): void => {
      const counts = countsOf(series)
      for (let i = 0; i < names.length; i++)
        page.sample(`${labels},${label}="${names[i]}"`, counts[i] as number)
    }
  return [
    family(
      'requests_total',
      'counter',
      'Requests of clients that went to the upstream, by what came of them.',
      ['result'],
      byName('result', RESULTS, ({ traffic }) => traffic.results),
    ),
    family(
      'request_duration_seconds',
      'histogram',
      "From a request's headers until the connection was done with its response.",
      [],
      (page, labels, { traffic }) => writeHistogram(page, labels, traffic.durations),
    ),
    family(
      'attempts_total',
      'counter',
      'Attempts that ended, by what they came to.',
      ['result'],
      byName('result', ATTEMPTS, ({ attempts }) => attempts),
    ),
    family(
      'attempt_kinds_total',
      'counter',
      'Attempts of requests that ended, by why they were made; of hedges, whether they won.',
      ['kind'],
      byName('kind', KINDS, ({ kinds }) => kinds),
    ),
    family(
      'attempt_duration_seconds',
      'histogram',
      "From an attempt's beginning to the response head, or to its failure.",
      [],
      (page, labels, { latency }) => writeHistogram(page, labels, latency),
    ),
    family(
      'events_total',
      'counter',
      'Decisions and changes: ejections, returns, checks that turn, tiers, panic, breakers.',
      ['event'],
      (page, labels, { events }) => {
        for (const [name, count] of events) page.sample(`${labels},${labelText(['event'], [name])}`, count)
      },
    ),
    family(
      'panic',
      'gauge',
      '1 while unhealthy targets are used for want of others.',
      [],
      (page, labels, series) => page.sample(labels, series.panic ? 1 : 0),
    ),
    family('targets', 'gauge', 'Targets that there are.', [], (page, labels, _, { targets }) =>
      page.sample(labels, targets.length),
    ),
    family(
      'eligible_targets',
      'gauge',
      'Targets that a request could get now.',
      [],
      (page, labels, _, upstream) => page.sample(labels, upstream.eligible().length),
    ),
    family(
      'inflight',
      'gauge',
      'Attempts under way, those that wait for a connection included.',
      [],
      (page, labels, _, { targets }) => {
        let inflight = 0
        for (const target of targets) inflight += target.inflight
        page.sample(labels, inflight)
      },
    ),
    family(
      'tier_in_use',
      'gauge',
      '1 for a tier that is given traffic, 0 for one in reserve.',
      ['tier'],
      (page, labels, _, upstream) => {
        const used = new Set(upstream.eligible().map(({ tier }) => tier))
        const tiers = new Set(upstream.targets.map(({ tier }) => tier))
        for (const tier of [...tiers].sort((a, b) => a - b))
          page.sample(`${labels},tier="${tier}"`, used.has(tier) ? 1 : 0)
      },
    ),
  ]
}
