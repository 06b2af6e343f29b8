import {
  custom,
  duration,
  flag,
  object,
  oneOrMore,
  optional,
  record,
  shorthand,
  text,
  withDefault,
} from '../../config/kit.ts'
import type { Schema } from '../../config/typed.ts'
import { refuseBase, refuseFunction, refuseHeader, refuseReceiver, refuseTrue } from '../rules/refuse.ts'
import type { Notification } from './notification.ts'

// What was written is not shown when it is refused: it may hold a secret.
const remedy = 'write it like "https://alerts.example.com/hook", or take it from the environment'
const address = custom<string>(refuseReceiver, { remedy })
const base = custom<string>(refuseBase, { remedy: 'write it like "http://10.0.0.9:9093"' })
// To the editor any list will do: one from the environment is of no known length.
const bases = oneOrMore(base, { noun: 'address' }) as Schema<string | readonly string[], readonly string[]>
/** Headers to send besides, such as `authorization`. */
const headers = withDefault(record(custom<string>(refuseHeader), { names: "^[\\w!#$%&'*+.^`|~-]+$" }), {})

/** The ways in which somebody is told: one of these. */
export const addresses = {
  /** Alertmanager's webhook payload, version 4, is posted here. */
  webhook: optional(shorthand('url', object({ url: address, headers }))),
  /** An incoming webhook of Slack, or of what understands the same. */
  slack: optional(shorthand('url', object({ url: address, headers }))),
  /**
   * One or several of a cluster: `http://10.0.0.9:9093`. It is told of every alert, again each minute, and groups,
   * silences and repeats by itself.
   */
  alertmanager: optional(shorthand('url', object({ url: bases, headers }))),
  /** The gateway's own log. */
  log: optional(custom<true>(refuseTrue, { remedy: 'write true, or take it out' })),
  /** Your own function. What it throws or rejects with counts as not delivered. */
  call: optional(custom<(notification: Notification) => void | Promise<void>>(refuseFunction)),
}

export const ADDRESSES = Object.keys(addresses) as readonly (keyof typeof addresses)[]

/** Who is told of alerts, by one of `webhook`, `slack`, `alertmanager`, `log` and `call`. */
export const receiver = object({
  /** How logs and metrics call it. Default: how it is told, and its number. */
  name: optional(text({ minLength: 1 })),
  ...addresses,
  /** Only alerts with these labels, `*` standing for any text: `{ severity: 'critical' }`. Default: all. */
  where: withDefault(record(text()), {}),
  /** It is told when an alert is over. Default true. An Alertmanager always is: `send_resolved` there says who hears of it. */
  resolved: withDefault(flag(), true),
  /** For one try. Default 10s. */
  timeout: withDefault(duration({ minimum: '10ms', maximum: '5m' }), '10s'),
})
