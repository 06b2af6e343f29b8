import type { Collector } from '../upstreams/measures.ts'
import type { Gauge, Scope } from './rules/rule.ts'
import type { AlertService } from './service.ts'

/** Counts of what was told and done, by the values of their labels. */
export class Tally {
  readonly #counts = new Map<string, number>()

  /** Counts from 0, so that the first time is seen as a rise. */
  prepare(...labels: string[]): void {
    const key = JSON.stringify(labels)
    if (!this.#counts.has(key)) this.#counts.set(key, 0)
  }

  add(...labels: string[]): void {
    const key = JSON.stringify(labels)
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  collect(add: (value: number, ...labels: string[]) => void): void {
    for (const [key, count] of this.#counts) add(count, ...(JSON.parse(key) as string[]))
  }
}

export interface Collected {
  readonly service: AlertService
  readonly notifications: Tally
  readonly actions: Tally
  /** By route. */
  readonly shed: ReadonlyMap<string, number>
  readonly rateLimited: ReadonlyMap<string, number>
  readonly upstreams: readonly string[]
  gauge(scope: Scope, gauge: Gauge): number | undefined
}

const counts = (name: string, help: string, of: ReadonlyMap<string, number>): Collector => ({
  name,
  help,
  type: 'counter',
  labels: ['route'],
  collect(add) {
    for (const [route, count] of of) add(count, route)
  },
})

/** What alerts show of themselves, and what rules need that nobody else shows: `prometheus/` reads these. */
export function collectorsOf(from: Collected): Collector[] {
  const { service, notifications, actions, shed, rateLimited, upstreams, gauge } = from
  const ofUpstream = (name: string, help: string, of: Gauge): Collector => ({
    name,
    help,
    type: 'gauge',
    labels: ['upstream'],
    collect(add) {
      for (const upstream of upstreams) {
        // Where it is not known it is not a number: a series that is missing would be missed in no sum.
        add(gauge({ kind: 'upstream', name: upstream }, of) ?? Number.NaN, upstream)
      }
    },
  })
  return [
    {
      name: 'alerts_firing',
      help: 'Alerts that fire, silenced ones included.',
      type: 'gauge',
      labels: ['rule', 'severity'],
      collect(add) {
        for (const { rule, state } of service.alerts)
          add(state === 'firing' ? 1 : 0, rule.name, rule.severity)
      },
    },
    {
      name: 'alert_notifications_total',
      help: 'Notifications delivered, tries that failed, and notifications dropped.',
      type: 'counter',
      labels: ['receiver', 'result'],
      collect: (add) => notifications.collect(add),
    },
    {
      name: 'alert_actions_total',
      help: 'Actions of alerts that were done, undone, overruled by hand or refused.',
      type: 'counter',
      labels: ['rule', 'result'],
      collect: (add) => actions.collect(add),
    },
    {
      name: 'alert_watched_seconds',
      help: 'How long the rules have been evaluated without a break.',
      type: 'gauge',
      labels: [],
      collect: (add) => add(service.watchedMs / 1000),
    },
    counts('alert_shed_total', 'Requests that an action of an alert refused.', shed),
    counts('alert_rate_limited_total', 'Requests that a rate limit refused.', rateLimited),
    ofUpstream(
      'alert_usable_targets',
      'Targets that a request could get now; NaN while unchecked.',
      'usable',
    ),
    ofUpstream('alert_expected_targets', 'Targets of the tiers in use and of those before them.', 'expected'),
    ofUpstream('alert_inflight', 'Attempts under way, upgraded connections left out.', 'inflight'),
    ofUpstream('alert_capacity', 'Attempts that eligible targets may have under way.', 'capacity'),
  ]
}
