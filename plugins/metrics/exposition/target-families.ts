import type { Target, Upstream } from '../../upstreams/contract.ts'
import type { Fleet } from '../recording/fleet.ts'
import type { TargetSeries } from '../recording/target-series.ts'
import { ATTEMPTS } from '../recording/upstream-series.ts'
import { type Family, type FamilyType, labelText, type Page } from './page.ts'
import { writeHistogram } from './request-families.ts'

/** What is shown of each target. A page shows the targets that there were when it was begun. */
export function targetFamilies(
  fleet: Fleet,
  upstreams: ReadonlyMap<string, Upstream>,
  histograms: boolean,
): Family[] {
  const listed = fleet.list()
  const family = (
    name: string,
    type: FamilyType,
    help: string,
    labels: readonly string[],
    write: (page: Page, labels: string, series: TargetSeries) => void,
  ): Family => ({
    name: `holdfast_target_${name}`,
    type,
    help,
    labels: ['upstream', 'target', ...labels],
    *write(page) {
      for (const series of listed) {
        if (!series.forgotten) write(page, series.labels, series)
        yield
      }
    },
  })
  /** Of targets that are there only: one that is gone has no weight. */
  const gauge = (name: string, help: string, numberOf: (target: Target) => number): Family =>
    family(name, 'gauge', help, [], (page, labels, { goneAt, target }) => {
      if (goneAt === undefined) page.sample(labels, numberOf(target))
    })
  const eligible = new Set<Target>()
  for (const upstream of upstreams.values()) for (const target of upstream.eligible()) eligible.add(target)

  return [
    family(
      'attempts_total',
      'counter',
      'Attempts that ended, by what they came to. A result is there once it has occurred.',
      ['result'],
      (page, labels, { attempts }) => {
        for (let i = 0; i < ATTEMPTS.length; i++) {
          const count = attempts[i] as number
          if (count > 0) page.sample(`${labels},result="${ATTEMPTS[i]}"`, count)
        }
      },
    ),
    family(
      'attempt_duration_seconds',
      histograms ? 'histogram' : 'summary',
      "From an attempt's beginning to the response head, or to its failure.",
      [],
      (page, labels, { latency, latencyMs, latencies }) => {
        if (latency !== undefined) writeHistogram(page, labels, latency)
        else {
          page.sample(labels, latencyMs / 1000, '_sum')
          page.sample(labels, latencies, '_count')
        }
      },
    ),
    gauge(
      'inflight',
      'Attempts under way, those that wait for a connection included.',
      (one) => one.inflight,
    ),
    gauge('waiting', 'Those of them that nothing was heard of yet.', (one) => one.waiting),
    gauge('eligible', '1 if a request could get it now.', (one) => (eligible.has(one) ? 1 : 0)),
    gauge('draining', '1 while it takes no new requests and finishes those that it has.', (one) =>
      one.draining ? 1 : 0,
    ),
    gauge('share_ratio', 'Part of its usual traffic that it is given now, 0 to 1.', (one) => one.share),
    gauge('weight', 'As configured or last set.', (one) => one.weight),
    family(
      'info',
      'gauge',
      'Where it stands; always 1.',
      ['tier', 'zone'],
      (page, labels, { goneAt, target }) => {
        if (goneAt === undefined)
          page.sample(`${labels},tier="${target.tier}",${labelText(['zone'], [target.zone])}`, 1)
      },
    ),
  ]
}
