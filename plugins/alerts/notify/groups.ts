import type { Alert } from '../engine/alert.ts'
import type { Labels } from '../rules/rule.ts'
import type { Topic } from './delivery.ts'

export interface GroupOptions {
  readonly groupBy: readonly string[]
  /** In milliseconds, as all of these. */
  readonly groupWait: number
  readonly groupInterval: number
  readonly repeatEvery: number
  /** Whether resolved alerts are told of. */
  readonly resolved: boolean
}

/** What is to be told now. */
export interface Due {
  readonly labels: Labels
  readonly firing: readonly Alert[]
  readonly resolved: readonly Alert[]
}

type Silenced = (alert: Alert) => boolean

/** Alerts that one receiver is told of together. */
class Group implements Topic<Due> {
  readonly #options: GroupOptions
  readonly #silenced: Silenced
  readonly #labels: Labels
  /** Those that fire, and those that have been told of and have ended since. */
  readonly alerts = new Set<Alert>()
  /** Of them, those that were told to fire. */
  readonly #told = new Set<Alert>()
  #toldAt: number
  dueAt: number
  failures = 0

  constructor(options: GroupOptions, silenced: Silenced, labels: Labels, now: number) {
    this.#options = options
    this.#silenced = silenced
    this.#labels = labels
    this.#toldAt = now
    this.dueAt = now + options.groupWait
  }

  get every(): number {
    return Math.min(this.#options.groupInterval, this.#options.repeatEvery)
  }

  news(now: number): Due | undefined {
    const firing: Alert[] = []
    const resolved: Alert[] = []
    let news = false
    for (const alert of this.alerts) {
      const known = this.#told.has(alert)
      if (alert.state === 'firing') {
        if (this.#silenced(alert)) continue
        firing.push(alert)
        news ||= !known
      } else if (known && this.#options.resolved) resolved.push(alert)
      // What ended before anyone was told is not worth telling.
      else this.#forget(alert)
    }
    const repeat = firing.length > 0 && now - this.#toldAt >= this.#options.repeatEvery
    return news || repeat || resolved.length > 0 ? { labels: this.#labels, firing, resolved } : undefined
  }

  delivered({ firing, resolved }: Due, now: number): void {
    this.#toldAt = now
    for (const alert of firing) this.#told.add(alert)
    for (const alert of resolved) {
      this.#told.delete(alert)
      // It may fire anew by now, which is news then.
      if (alert.state !== 'firing') this.#forget(alert)
    }
  }

  #forget(alert: Alert): void {
    this.alerts.delete(alert)
    this.#told.delete(alert)
  }
}

/**
 * Which alerts one receiver is told of, together with which others, and when: after Alertmanager's dispatcher and its
 * deduplication (`dispatch.go`, `notify.go`: `DedupStage`). It differs in one point: that an alert is over is told even
 * if it is silenced by then, so that no one waits for the end of something that has ended.
 */
export class Groups implements Iterable<Topic<Due>> {
  readonly #options: GroupOptions
  readonly #silenced: Silenced
  readonly #groups = new Map<string, Group>()

  constructor(options: GroupOptions, silenced: Silenced) {
    this.#options = options
    this.#silenced = silenced
  }

  /** An alert fires. */
  fired(alert: Alert, now: number): void {
    const labels: Record<string, string> = {}
    const own = alert.labels
    // Another gateway's group is another group: its end must not be taken for the end of this one.
    for (const name of [...this.#options.groupBy, 'instance']) labels[name] = own[name] ?? ''
    const key = JSON.stringify(labels)
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new Group(this.#options, this.#silenced, labels, now)
      this.#groups.set(key, group)
    }
    group.alerts.add(alert)
  }

  *[Symbol.iterator](): Generator<Topic<Due>> {
    for (const [key, group] of this.#groups) {
      if (group.alerts.size === 0) this.#groups.delete(key)
      else yield group
    }
  }
}
