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
    if (slack !== undefined) return ports.post(slack.url, slackMessage(notification), slack.headers, timeout)
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
      if (kind === 'fired' && matches(config.where, alert.labels)) groups.fired(alert, now)
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
  headers: Readonly<Record<string, string>>,
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
      send: (alerts) => ports.post(url, alerts, headers, config.timeout),
      told: (result, _message, why) => ports.told(name, result, why),
    },
  )
  return {
    name,
    get waiting() {
      return delivery.waiting
    },
    hear({ kind, alert }, now) {
      if (!matches(config.where, alert.labels)) return
      if (kind === 'fired') feed.fired(alert)
      else feed.resolved(alert, now)
    },
    round(now, timeOfDay) {
      const { evaluateEvery, link } = options
      const due = feed.due(now, ports.silenced)
      if (due === undefined) return
      delivery.push(due.map((alert) => postedAlert(alert, timeOfDay, evaluateEvery, ports.written, link)))
    },
    finish: () => delivery.finish(),
    giveUp: () => delivery.giveUp('the gateway stops'),
  }
}

/** The receivers of the config; each Alertmanager of a cluster is one of its own. */
export function receiversOf(options: AlertsConfig, ports: ReceiverPorts): Receiver[] {
  const given = new Set(options.notify.map(({ name }) => name))
  const taken = new Set<string>()
  const nameOf = (config: ReceiverConfig): string => {
    const wanted = config.name ?? kindOf(config)
    // What somebody is called in the config is for him alone: counts of two would become one.
    const free = (name: string): boolean => !taken.has(name) && (name === config.name || !given.has(name))
    let name = wanted
    for (let number = 2; !free(name); number++) name = `${wanted}-${number}`
    taken.add(name)
    return name
  }
  return options.notify.flatMap((config) => {
    if (config.alertmanager === undefined) return grouped(nameOf(config), config, options, ports)
    const { url, headers } = config.alertmanager
    return url.map((address) => fed(nameOf(config), address, headers, config, options, ports))
  })
}
