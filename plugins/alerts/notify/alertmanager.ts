import type { Alert } from '../engine/alert.ts'
import type { Labels } from '../rules/rule.ts'
import type { Topic } from './delivery.ts'
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
export class AlertmanagerFeed implements Topic<readonly Alert[]> {
  readonly every = RESEND_MS
  dueAt = 0
  failures = 0
  readonly #silenced: (alert: Alert) => boolean
  readonly #known = new Map<Alert, Known>()
  #changed = false
  #sentAt = Number.NEGATIVE_INFINITY

  constructor(silenced: (alert: Alert) => boolean) {
    this.#silenced = silenced
  }

  fired(alert: Alert, now: number): void {
    this.#known.set(alert, { endedAt: undefined, posted: false })
    this.#change(now)
  }

  resolved(alert: Alert, now: number): void {
    const known = this.#known.get(alert)
    if (known === undefined) return
    known.endedAt = now
    this.#change(now)
  }

  #change(now: number): void {
    this.#changed = true
    // After a failure its pause counts: it will hear of this too.
    if (this.failures === 0) this.dueAt = now
  }

  /** All that is to be sent now. */
  news(now: number): readonly Alert[] | undefined {
    const due: Alert[] = []
    for (const [alert, { endedAt, posted }] of this.#known) {
      // What ended before it was told of is not worth telling.
      if (endedAt !== undefined && (!posted || now - endedAt > RESOLVED_FOR_MS)) this.#known.delete(alert)
      else if (posted || !this.#silenced(alert)) due.push(alert)
    }
    const again = this.#changed || this.failures > 0 || now - this.#sentAt >= RESEND_MS
    if (due.length === 0 || !again) return undefined
    this.#changed = false
    return due
  }

  delivered(sent: readonly Alert[], now: number): void {
    this.#sentAt = now
    for (const alert of sent) {
      const known = this.#known.get(alert)
      if (known !== undefined) known.posted = true
    }
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
