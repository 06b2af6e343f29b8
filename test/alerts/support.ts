import { Engine } from '../../plugins/alerts/engine/engine.ts'
import { type AlertsConfig, compileRules } from '../../plugins/alerts/rules/compile.ts'
import { type Counter, counterKey, type Gauge, type Rule } from '../../plugins/alerts/rules/rule.ts'
import { check, schema } from '../../plugins/alerts/schema.ts'
import type { GatewayConfig } from '../../plugins/config/define.ts'
import { custom, object, record } from '../../plugins/config/kit.ts'
import { validate } from '../../plugins/config/validate.ts'

const ALERTS = object({ ...schema.gateway, upstreams: record(custom(() => undefined)) })

/** A gateway config with these alerts: routes "a" and "b", upstreams "users" (three targets) and "next" (one). */
export function configWith(alerts: object, more: object = {}) {
  return {
    upstreams: {
      users: {
        targets: [1, 2, 3].map((i) => ({ origin: `http://10.0.0.${i}:80` })),
        circuitBreaker: { enabled: true },
      },
      next: { targets: [{ origin: 'http://10.0.1.1:80' }] },
    },
    routes: [
      { path: '/a/*', name: 'a', upstream: 'users' },
      { path: '/b/*', name: 'b', split: { users: 3, next: 1 } },
      { path: '/robots.txt', respond: {} },
    ],
    alerts,
    ...more,
  }
}

/** The alerts of a config as plugins read them. Throws if there is anything wrong with them. */
export function alertsOf(alerts: object): AlertsConfig {
  // Of the other keys only what is looked at: to read the whole config takes a tenth of a second.
  const { value, problems } = validate(ALERTS, { alerts, upstreams: configWith(alerts).upstreams })
  const config = {
    ...configWith(alerts),
    server: { tls: { cert: 'PEM' } },
    ...(value as object),
  } as unknown as GatewayConfig
  problems.push(...check(config))
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  return config.alerts as AlertsConfig
}

export function rulesOf(...rules: object[]): Rule[] {
  return compileRules(alertsOf({ rules }).rules)
}

/** Numbers that a test sets, and an engine that reads them in virtual time. All scopes have the same numbers. */
export class World {
  now = 0
  readonly counts: Record<string, number> = { requests: 0, errors: 0 }
  readonly gauges: Partial<Record<Gauge, number | undefined>> = {}
  readonly engine: Engine
  readonly every: number
  /** What was announced, with the time in seconds. */
  readonly log: string[] = []
  broken = false

  constructor(rules: readonly Rule[], every = 5000) {
    this.every = every
    this.engine = new Engine(
      rules,
      {
        counter: (_scope, counter: Counter) => () => {
          if (this.broken) throw new Error('no numbers')
          return this.counts[counterKey(counter)] ?? 0
        },
        gauge: (_scope, gauge) => this.gauges[gauge],
      },
      every,
      () => 'gateway:1',
    )
    this.round()
  }

  add(counts: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(counts)) this.counts[name] = (this.counts[name] ?? 0) + count
  }

  round(): void {
    for (const { kind, alert } of this.engine.round(this.now, 1_700_000_000_000 + this.now))
      this.log.push(`${this.now / 1000} ${alert.rule.name} ${kind}`)
  }

  /** Lets time pass; `counts` come each second. */
  pass(seconds: number, counts: Readonly<Record<string, number>> = {}): void {
    const end = this.now + seconds * 1000
    while (this.now < end) {
      const step = Math.min(this.every, end - this.now)
      this.now += step
      this.add(
        Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, (count * step) / 1000])),
      )
      this.round()
    }
  }

  /** When this was first announced, in seconds. */
  when(kind: string): number {
    return Number(this.log.find((line) => line.endsWith(kind))?.split(' ')[0])
  }

  state(index = 0): string {
    return this.engine.alerts[index]?.state as string
  }
}
