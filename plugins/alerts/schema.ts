import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  byUpstream,
  custom,
  decimal,
  duration,
  integer,
  list,
  nonEmptyList,
  object,
  optional,
  record,
  text,
  upstreamName,
  withDefault,
} from '../config/kit.ts'
import { receiver } from './notify/receiver-options.ts'
import { conditions } from './rules/condition-options.ts'
import { alertProblems } from './rules/problems.ts'
import { refuseAddress } from './rules/refuse.ts'

/** As Prometheus has them. */
const labels = record(text(), { names: '^[a-zA-Z_][a-zA-Z0-9_]*$' })

function refuseTime(value: unknown): string | undefined {
  const isTime =
    typeof value === 'string' && /^\d{4}-\d\d-\d\d/.test(value) && !Number.isNaN(Date.parse(value))
  return isTime ? undefined : `is ${JSON.stringify(value)}`
}

/** What is done while an alert fires, and undone when it is resolved: one of these. */
const action = object({
  /** The target gets no new requests. Waits while it is the last one that could be used. */
  drain: optional(object({ upstream: upstreamName(), /** Its origin. */ target: text({ minLength: 1 }) })),
  /** The route's requests go to these upstreams, in these shares. */
  setSplit: optional(
    object({
      /** Name of the route. */ route: text({ minLength: 1 }),
      shares: byUpstream(decimal({ minimum: 0 })),
    }),
  ),
  /** A share of the requests is refused with 503: those of a route, or those for an upstream. */
  shed: optional(
    object({
      /** Name of the route. */
      route: optional(text({ minLength: 1 })),
      upstream: optional(upstreamName()),
      share: decimal({ minimum: 0.01, maximum: 1, remedy: 'write a share of the requests: 0.2 is 20 %' }),
    }),
  ),
})

const rule = object({
  /** Names the alert: `alertname`. Names of rules differ. */
  name: text({ minLength: 1 }),
  /** Name of the route that it is about. Default: the whole gateway, or `upstream`. */
  route: optional(text({ minLength: 1 })),
  /** The upstream that it is about. */
  upstream: optional(upstreamName()),
  ...conditions,
  /** The window of latency, throughput, errorRate and rateLimited. Default 1m. */
  over: optional(duration({ minimum: 1, maximum: '30d' })),
  /**
   * With fewer requests in the window latency, errorRate, rateLimited and burnRate say nothing: one failed request at
   * night is no alert. Default 20.
   */
  atLeast: optional(integer({ minimum: 1 })),
  /** The condition has to hold for so long before the alert fires. Default 0: at once. */
  for: withDefault(duration({ maximum: '30d' }), 0),
  /** An alert goes on firing for so long after its condition has last held. Default 0. */
  keepFiring: withDefault(duration({ maximum: '30d' }), 0),
  /** The label `severity`. Default warning. */
  severity: withDefault(text({ minLength: 1 }), 'warning'),
  /** Further labels, to group and to silence by. */
  labels: withDefault(labels, {}),
  /** What people read first. May have `{{ $value }}` and `{{ $labels.name }}` in it. Default: what the rule looks for. */
  summary: optional(text({ minLength: 1 })),
  /** Further texts for people, such as `runbook_url`. */
  annotations: withDefault(labels, {}),
  action: optional(action),
})

const alerts = optional(
  object({
    /** What is to be told of. */
    rules: nonEmptyList(rule, { noun: 'rule' }),
    /** Who is told. With nobody, alerts are only to be seen in the metrics and on the admin listener. */
    notify: withDefault(list(receiver), []),
    /**
     * Which gateway this is: the label `instance` of all that is told. Default: the host's name and the port. Where it is
     * what Prometheus calls the gateway, both speak of the same alert.
     */
    instance: optional(text({ minLength: 1 })),
    /** How often the rules are evaluated. Default 5s. */
    evaluateEvery: withDefault(duration({ minimum: '50ms', maximum: '10m' }), '5s'),
    /** Alerts that agree in these labels are told of together. Default `['alertname']`. */
    groupBy: withDefault(list(text({ minLength: 1 })), ['alertname']),
    /** The first alert of a group waits so long for others. Default 10s. */
    groupWait: withDefault(duration({ maximum: '1h' }), '10s'),
    /** What is new in a group is told of after so long. Default 1m. */
    groupInterval: withDefault(duration({ minimum: '10ms', maximum: '1d' }), '1m'),
    /** What goes on firing is told of again after so long. Default 4h. */
    repeatEvery: withDefault(duration({ minimum: '1s', maximum: '30d' }), '4h'),
    /** Alerts that nobody is told of for a while. More of them on the admin listener. */
    silences: withDefault(
      list(
        object({
          /** Labels that the alert has to have, `*` standing for any text. */
          where: record(text(), { least: 1, remedy: 'name a label, such as { alertname: "*" } for all' }),
          /** Such as `2027-01-01T06:00:00Z`. */
          until: custom<string>(refuseTime, { remedy: 'write a time like "2027-01-01T06:00:00Z"' }),
          /** Why. */
          comment: withDefault(text(), ''),
        }),
      ),
      [],
    ),
    /** Where people look, in notifications: the address of a dashboard. Default: none. */
    link: withDefault(
      custom<string>((value) => (value === '' ? undefined : refuseAddress(value)), {
        remedy: 'write it like "https://dashboards.example.com/gateway"',
      }),
      '',
    ),
  }),
)

export const schema = { gateway: { alerts } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    alerts: typeof alerts
  }
}

export function check(config: GatewayConfig): readonly Problem[] {
  return alertProblems(config)
}
