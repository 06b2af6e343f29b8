import type { UpstreamConfig } from '../config/define.ts'
import type { Plan } from './checker.ts'
import { type StatusRange, statusRanges } from './status.ts'

type HealthCheck = NonNullable<UpstreamConfig['healthCheck']>

const USER_AGENT = 'holdfast-health-check'

/** A health check with the defaults that depend on other options. */
export interface Settings {
  readonly plan: Plan
  readonly type: HealthCheck['type']
  /** Milliseconds. */
  readonly timeout: number
  readonly port: number | undefined
  readonly host: string | undefined
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly path: string
  readonly method: string
  readonly status: readonly StatusRange[]
  readonly body: string | undefined
  readonly service: string
}

export function settingsOf(check: HealthCheck): Settings {
  const { interval, rise, fall, jitter } = check
  const given = Object.entries(check.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])
  return {
    plan: {
      interval,
      fastInterval: check.fastInterval ?? interval / 4,
      downInterval: check.downInterval ?? interval,
      jitter,
      rise,
      fall,
    },
    type: check.type,
    timeout: check.timeout,
    port: check.port,
    host: check.host,
    headers: { 'user-agent': USER_AGENT, ...Object.fromEntries(given) },
    path: check.path ?? '/healthz',
    method: check.method ?? 'GET',
    status: statusRanges(check.status ?? ['200-299']),
    body: check.body,
    service: check.service ?? '',
  }
}
