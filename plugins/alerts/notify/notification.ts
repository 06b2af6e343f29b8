import { type Alert, filled } from '../engine/alert.ts'
import type { Labels } from '../rules/rule.ts'

/** One alert of a notification. Times are RFC 3339. */
export interface NotifiedAlert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Labels
  readonly annotations: Labels
  readonly startsAt: string
  /** `0001-01-01T00:00:00Z` while it fires. */
  readonly endsAt: string
  readonly generatorURL: string
  /** The same for the same labels, and for no others. */
  readonly fingerprint: string
}

/** Alerts that are told of together: the payload of Alertmanager's webhook, version 4, to the letter. */
export interface Notification {
  readonly version: '4'
  /** The same for the same group. */
  readonly groupKey: string
  readonly truncatedAlerts: number
  /** `firing` as long as one of them is. */
  readonly status: 'firing' | 'resolved'
  readonly receiver: string
  readonly groupLabels: Labels
  /** Those that all of them have. */
  readonly commonLabels: Labels
  readonly commonAnnotations: Labels
  readonly externalURL: string
  readonly alerts: readonly NotifiedAlert[]
}

/** How times of day are written: `Date` is not for pure files. */
export type Written = (timeOfDay: number) => string

const NEVER = '0001-01-01T00:00:00Z'

function common(of: readonly Labels[]): Labels {
  const [first = {}, ...others] = of
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((one) => one[name] === value)),
  )
}

/** The texts of an alert, filled in. */
export function annotationsOf({ rule, labels, value }: Alert): Labels {
  return Object.fromEntries(
    Object.entries(rule.annotations).map(([name, text]) => [name, filled(text, value, labels)]),
  )
}

export function notified(alert: Alert, written: Written, link: string): NotifiedAlert {
  const firing = alert.state === 'firing'
  return {
    status: firing ? 'firing' : 'resolved',
    labels: alert.labels,
    annotations: annotationsOf(alert),
    startsAt: written(alert.startsAt),
    endsAt: firing ? NEVER : written(alert.endsAt),
    generatorURL: link,
    fingerprint: alert.fingerprint,
  }
}

/** As Alertmanager writes it: `{}:{severity="critical"}`. */
export function groupKeyOf(labels: Labels): string {
  const pairs = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{}:{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`
}

export function notificationOf(
  receiver: string,
  groupLabels: Labels,
  alerts: readonly NotifiedAlert[],
  link: string,
): Notification {
  return {
    version: '4',
    groupKey: groupKeyOf(groupLabels),
    truncatedAlerts: 0,
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    receiver,
    groupLabels,
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: link,
    alerts,
  }
}
