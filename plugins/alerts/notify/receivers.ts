import type { Alert } from '../engine/alert.ts'
import type { Change } from '../engine/engine.ts'
import type { AlertsConfig } from '../rules/compile.ts'
import { AlertmanagerFeed, alertsAddress, type PostedAlert, postedAlert } from './alertmanager.ts'
import { type Delivered, Delivery, type DeliveryPorts } from './delivery.ts'
import { Groups } from './groups.ts'
import { type Notification, notificationOf, notified, type Written } from './notification.ts'
import { matches } from './silences.ts'
import { slackMessage } from './slack.ts'

export type ReceiverConfig = AlertsConfig['notify'][number]
type Message = Notification | readonly PostedAlert[]

/** How things leave this process. */
export interface Outlets {
  /** Never rejects. */
  post(
    url: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
    timeout: number,
  ): Promise<Delivered>
  log(notification: Notification): void
  /** Calls the user's function. Never rejects. */
  call(run: () => void | Promise<void>, timeout: number): Promise<Delivered>
}

export interface ReceiverPorts extends Outlets, Pick<DeliveryPorts<Message>, 'now' | 'random' | 'after'> {
  readonly written: Written
  silenced(alert: Alert): boolean
  told(receiver: string, result: 'delivered' | 'failed' | 'dropped', why: string): void
}

/** Somebody who is told of alerts. */
export interface Receiver {
  readonly name: string
  readonly waiting: number
  hear(change: Change, now: number): void
  /** Sends what is due. */
  round(now: number, timeOfDay: number, last?: boolean): void
  finish(): Promise<void>
  giveUp(): void
}

function kindOf({ webhook, slack, alertmanager, log }: ReceiverConfig): string {
  if (webhook !== undefined) return 'webhook'
  if (slack !== undefined) return 'slack'
  if (alertmanager !== undefined) return 'alertmanager'
  return log === undefined ? 'call' : 'log'
}

function sender(config: ReceiverConfig, ports: ReceiverPorts) {
  const { webhook, slack, call, timeout } = config
  return async (notification: Notification): Promise<Delivered> => {
    if (webhook !== undefined) return ports.post(webhook.url, notification, webhook.headers, timeout)
    if (slack !== undefined) return ports.post(slack, slackMessage(notification), {}, timeout)
    if (call !== undefined) return ports.call(() => call(notification), timeout)
    ports.log(notification)
    return { ok: true }
  }
}

/** One that is told of groups. */
function grouped(
  name: string,
  config: ReceiverConfig,
  options: AlertsConfig,
  ports: ReceiverPorts,
): Receiver {
  const groups = new Groups({ ...options, resolved: config.resolved })
  const delivery = new Delivery<Notification>(config, {
    now: ports.now,
    random: ports.random,
    after: ports.after,
    send: sender(config, ports),
    told: (result, _message, why) => ports.told(name, result, why),
  })
  return {
    name,
    get waiting() {
      return delivery.waiting
    },
    hear({ kind, alert }, now) {
      if (kind === 'fired' && matches(config.where, alert.rule.labels)) groups.fired(alert, now)
    },
    round(now, _timeOfDay, last = false) {
      for (const { labels, firing, resolved } of groups.due(now, ports.silenced, last)) {
        const alerts = [...firing, ...resolved].map((alert) => notified(alert, ports.written, options.link))
        delivery.push(notificationOf(name, labels, alerts, options.link))
      }
    },
    finish: () => delivery.finish(),
    giveUp: () => delivery.giveUp('the gateway stops'),
  }
}

/** An Alertmanager, which is told of all alerts each time. */
function fed(
  name: string,
  address: string,
  config: ReceiverConfig,
  options: AlertsConfig,
  ports: ReceiverPorts,
): Receiver {
  const feed = new AlertmanagerFeed()
  const url = alertsAddress(address)
  const delivery = new Delivery<readonly PostedAlert[]>(
    { ...config, newestOnly: true },
    {
      now: ports.now,
      random: ports.random,
      after: ports.after,
      send: (alerts) => ports.post(url, alerts, {}, config.timeout),
      told: (result, _message, why) => ports.told(name, result, why),
    },
  )
  return {
    name,
    get waiting() {
      return delivery.waiting
    },
    hear({ kind, alert }, now) {
      if (!matches(config.where, alert.rule.labels)) return
      if (kind === 'fired') feed.fired(alert)
      else if (config.resolved) feed.resolved(alert, now)
      else feed.forget(alert)
    },
    round(now, timeOfDay) {
      const due = feed.due(now)?.filter((alert) => alert.state !== 'firing' || !ports.silenced(alert))
      if (due === undefined || due.length === 0) return
      delivery.push(due.map((alert) => postedAlert(alert, timeOfDay, ports.written, options.link)))
    },
    finish: () => delivery.finish(),
    giveUp: () => delivery.giveUp('the gateway stops'),
  }
}

/** The receivers of the config; each Alertmanager of a cluster is one of its own. */
export function receiversOf(options: AlertsConfig, ports: ReceiverPorts): Receiver[] {
  const taken = new Map<string, number>()
  const nameOf = (wanted: string): string => {
    const count = (taken.get(wanted) ?? 0) + 1
    taken.set(wanted, count)
    return count === 1 ? wanted : `${wanted}-${count}`
  }
  return options.notify.flatMap((config) => {
    const wanted = config.name ?? kindOf(config)
    if (config.alertmanager === undefined) return grouped(nameOf(wanted), config, options, ports)
    return [config.alertmanager].flat().map((address) => fed(nameOf(wanted), address, config, options, ports))
  })
}
