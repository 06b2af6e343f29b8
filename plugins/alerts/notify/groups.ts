import type { Alert } from '../engine/alert.ts'
import type { Labels } from '../rules/rule.ts'

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

interface Group {
  readonly labels: Labels
  /** Those that fire, and those that have been told of and have ended since. */
  readonly alerts: Set<Alert>
  /** Of them, those that were told to fire. */
  readonly told: Set<Alert>
  /** Monotonic milliseconds: when it is looked at next, and when something was told last. */
  dueAt: number
  toldAt: number
}

/**
 * Which alerts one receiver is told of, together with which others, and when: after Alertmanager's dispatcher and its
 * deduplication (`dispatch.go`, `notify.go`: `DedupStage`). It differs in one point: that an alert is over is told even
 * if it is silenced by then, so that no one waits for the end of something that has ended.
 */
export class Groups {
  readonly #options: GroupOptions
  readonly #groups = new Map<string, Group>()

  constructor(options: GroupOptions) {
    this.#options = options
  }

  /** An alert fires. */
  fired(alert: Alert, now: number): void {
    const { groupBy, groupWait } = this.#options
    const labels: Record<string, string> = {}
    const own = alert.labels
    // Another gateway's group is another group: its end must not be taken for the end of this one.
    for (const name of [...groupBy, 'instance']) labels[name] = own[name] ?? ''
    const key = JSON.stringify(labels)
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = { labels, alerts: new Set(), told: new Set(), dueAt: now + groupWait, toldAt: now }
      this.#groups.set(key, group)
    }
    group.alerts.add(alert)
  }

  /** @param all whatever the groups' time is (the last chance) */
  due(now: number, silenced: (alert: Alert) => boolean, all = false): Due[] {
    const due: Due[] = []
    for (const [key, group] of this.#groups) {
      if (now < group.dueAt && !all) continue
      group.dueAt = now + this.#options.groupInterval
      const one = this.#look(group, now, silenced)
      if (one !== undefined) due.push(one)
      if (group.alerts.size === 0) this.#groups.delete(key)
    }
    return due
  }

  #look(group: Group, now: number, silenced: (alert: Alert) => boolean): Due | undefined {
    const { repeatEvery, resolved: tellsResolved } = this.#options
    const { alerts, told, labels } = group
    const firing: Alert[] = []
    const resolved: Alert[] = []
    let news = false
    for (const alert of alerts) {
      if (alert.state !== 'firing') {
        alerts.delete(alert)
        // What ended before anyone was told is not worth telling.
        if (told.delete(alert) && tellsResolved) resolved.push(alert)
      } else if (!silenced(alert)) {
        firing.push(alert)
        news ||= !told.has(alert)
      }
    }
    const repeat = firing.length > 0 && now - group.toldAt >= repeatEvery
    if (!news && !repeat && resolved.length === 0) return undefined
    for (const alert of firing) told.add(alert)
    group.toldAt = now
    return { labels, firing, resolved }
  }
}
