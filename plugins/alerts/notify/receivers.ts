import { messageOf } from '../../config/messages.ts'
import type { Alert } from '../engine/alert.ts'
import type { Change } from '../engine/engine.ts'
import type { AlertsConfig } from '../rules/compile.ts'
import { AlertmanagerFeed, alertsAddress, postedAlert } from './alertmanager.ts'
import { type Delivered, Delivery, type DeliveryPorts, type Topic } from './delivery.ts'
import { type Due, Groups } from './groups.ts'
import { type Notification, notificationOf, notified, type Written } from './notification.ts'
import { matches } from './silences.ts'
import { slackMessage } from './slack.ts'

export type ReceiverConfig = AlertsConfig['notify'][number]

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

export interface ReceiverPorts extends Outlets, Pick<DeliveryPorts<never>, 'now' | 'random' | 'after'> {
  /** Milliseconds since 1970. */
  timeOfDay(): number
  readonly written: Written
  silenced(alert: Alert): boolean
  /** @param why empty where it has been said */
  told(receiver: string, result: 'delivered' | 'failed' | 'dropped', why: string): void
}

/** Somebody who is told of alerts. */
export interface Receiver {
  readonly name: string
  /** Groups that are about to be told of, or could not be delivered. */
  readonly waiting: number
  hear(change: Change, now: number): void
  /** To be called after changes: tells what is due, and goes on by itself. */
  wake(): void
  /** Tells what has not been told yet, whatever its time; once. */
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

function receiver<T>(
  name: string,
  topics: Iterable<Topic<T>>,
  hear: Receiver['hear'],
  send: DeliveryPorts<T>['send'],
  { where }: ReceiverConfig,
  { now, random, after, told }: ReceiverPorts,
): Receiver {
  const delivery = new Delivery<T>(topics, {
    now,
    random,
    after,
    // What cannot even be written must not end the process.
    send: async (message) => {
      try {
        return await send(message)
      } catch (error) {
        return { ok: false, why: messageOf(error) }
      }
    },
    told: (result, why) => told(name, result, why),
  })
  return {
    name,
    get waiting() {
      return delivery.waiting
    },
    hear(change, now) {
      if (matches(where, change.alert.labels)) hear(change, now)
    },
    wake: () => delivery.wake(),
    finish: () => delivery.finish(),
    giveUp: () => delivery.giveUp('the gateway stops'),
  }
}

/** One that is told of groups. */
function grouped(
  name: string,
  config: ReceiverConfig,
  options: AlertsConfig,
  ports: ReceiverPorts,
): Receiver {
  const groups = new Groups({ ...options, resolved: config.resolved }, ports.silenced)
  const send = sender(config, ports)
  return receiver<Due>(
    name,
    groups,
    ({ kind, alert }, now) => {
      if (kind === 'fired') groups.fired(alert, now)
    },
    ({ labels, firing, resolved }) => {
      const alerts = [...firing, ...resolved].map((alert) => notified(alert, ports.written, options.link))
      return send(notificationOf(name, labels, alerts, options.link))
    },
    config,
    ports,
  )
}

/** An Alertmanager, which is told of all alerts each time. */
function fed(
  name: string,
  address: string,
  headers: Readonly<Record<string, string>>,
  config: ReceiverConfig,
  { evaluateEvery, link }: AlertsConfig,
  ports: ReceiverPorts,
): Receiver {
  const feed = new AlertmanagerFeed(ports.silenced)
  const url = alertsAddress(address)
  return receiver<readonly Alert[]>(
    name,
    [feed],
    ({ kind, alert }, now) => feed[kind](alert, now),
    (alerts) => {
      const time = ports.timeOfDay()
      const posted = alerts.map((alert) => postedAlert(alert, time, evaluateEvery, ports.written, link))
      return ports.post(url, posted, headers, config.timeout)
    },
    config,
    ports,
  )
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
