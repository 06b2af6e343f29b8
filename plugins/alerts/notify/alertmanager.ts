import type { Alert } from '../engine/alert.ts'
import type { Labels } from '../rules/rule.ts'
import { annotationsOf, type Written } from './notification.ts'

/** What `POST /api/v2/alerts` takes. */
export interface PostedAlert {
  readonly labels: Labels
  readonly annotations: Labels
  readonly startsAt: string
  readonly endsAt: string
  readonly generatorURL?: string
}

/** As Prometheus: what goes on firing is sent again each minute, what is over for a quarter of an hour. */
const RESEND_MS = 60_000
const RESOLVED_FOR_MS = 15 * 60_000

/**
 * What an Alertmanager is told: all alerts at once, and again and again, since it forgets what it has not heard of for
 * long. If the gateway goes down, its alerts end there by themselves after four minutes (`endsAt`).
 */
export class AlertmanagerFeed {
  /** When each ended; undefined while it fires. */
  readonly #known = new Map<Alert, number | undefined>()
  #changed = false
  #sentAt = Number.NEGATIVE_INFINITY

  fired(alert: Alert): void {
    this.#known.set(alert, undefined)
    this.#changed = true
  }

  resolved(alert: Alert, now: number): void {
    this.#known.set(alert, now)
    this.#changed = true
  }

  /** It ends there by itself. */
  forget(alert: Alert): void {
    this.#known.delete(alert)
  }

  /** All that is to be sent now; undefined if there is no need. */
  due(now: number): readonly Alert[] | undefined {
    for (const [alert, endedAt] of this.#known)
      if (endedAt !== undefined && now - endedAt > RESOLVED_FOR_MS) this.#known.delete(alert)
    if (this.#known.size === 0 || (!this.#changed && now - this.#sentAt < RESEND_MS)) return undefined
    this.#changed = false
    this.#sentAt = now
    return [...this.#known.keys()]
  }
}

export function postedAlert(alert: Alert, timeOfDay: number, written: Written, link: string): PostedAlert {
  const endsAt = alert.state === 'firing' ? timeOfDay + 4 * RESEND_MS : alert.endsAt
  return {
    labels: alert.rule.labels,
    annotations: annotationsOf(alert),
    startsAt: written(alert.startsAt),
    endsAt: written(endsAt),
    ...(link === '' ? {} : { generatorURL: link }),
  }
}

/** `http://alerts:9093` is where it answers; a path before the API's is kept. */
export function alertsAddress(address: string): string {
  return `${address.replace(/\/+$/, '')}/api/v2/alerts`
}
