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

interface Known {
  /** Undefined while it fires. */
  endedAt: number | undefined
  /** The Alertmanager has been told of it since it began to fire. */
  posted: boolean
}

/**
 * What an Alertmanager is told: all alerts at once, and again and again, since it takes one that it has not heard of
 * for long for resolved. So one that is silenced here is held back only if it was never told of: the Alertmanager has
 * silences of its own for the others. If the gateway goes down, its alerts end there by themselves (`endsAt`).
 */
export class AlertmanagerFeed {
  readonly #known = new Map<Alert, Known>()
  #changed = false
  #sentAt = Number.NEGATIVE_INFINITY

  fired(alert: Alert): void {
    this.#known.set(alert, { endedAt: undefined, posted: false })
    this.#changed = true
  }

  resolved(alert: Alert, now: number): void {
    const known = this.#known.get(alert)
    if (known?.posted !== true) this.#known.delete(alert)
    else {
      known.endedAt = now
      this.#changed = true
    }
  }

  /** All that is to be sent now; undefined if there is no need. */
  due(now: number, silenced: (alert: Alert) => boolean): readonly Alert[] | undefined {
    const due: Alert[] = []
    for (const [alert, { endedAt, posted }] of this.#known) {
      if (endedAt !== undefined && now - endedAt > RESOLVED_FOR_MS) this.#known.delete(alert)
      else if (posted || !silenced(alert)) due.push(alert)
    }
    if (due.length === 0 || (!this.#changed && now - this.#sentAt < RESEND_MS)) return undefined
    for (const alert of due) (this.#known.get(alert) as Known).posted = true
    this.#changed = false
    this.#sentAt = now
    return due
  }
}

/**
 * It ends by itself after four times of not being told anew, as Prometheus has it (rules/alerting.go, `needsSending`
 * and `ValidUntil`).
 * @param every milliseconds between two evaluations: it cannot be told anew more often
 */
export function postedAlert(
  alert: Alert,
  timeOfDay: number,
  every: number,
  written: Written,
  link: string,
): PostedAlert {
  // The wall clock may have been set back since: what is over must not end in the future, or it fires until then.
  const endsAt =
    alert.state === 'firing' ? timeOfDay + 4 * Math.max(RESEND_MS, every) : Math.min(alert.endsAt, timeOfDay)
  return {
    labels: alert.labels,
    annotations: annotationsOf(alert),
    startsAt: written(Math.min(alert.startsAt, endsAt)),
    endsAt: written(endsAt),
    ...(link === '' ? {} : { generatorURL: link }),
  }
}

/** `http://alerts:9093` is where it answers; a path before the API's is kept. */
export function alertsAddress(address: string): string {
  return `${address.replace(/\/+$/, '')}/api/v2/alerts`
}
