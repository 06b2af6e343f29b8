import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  decimal,
  duration,
  integer,
  nonEmptyList,
  object,
  oneOf,
  optional,
  record,
  text,
  withDefault,
} from '../config/kit.ts'
import { healthCheckProblems } from './problems.ts'
import { refuseStatus } from './status.ts'

const status = custom<number | `${number}-${number}`>(refuseStatus, {
  remedy: 'write 204 or a range from 200 to 599 like "200-399"',
})

/** Active checks: targets are asked at intervals whether they are well. Default: none. */
const healthCheck = optional(
  object({
    /** What is asked: an HTTP path, whether a connection is taken, or grpc.health.v1.Health/Check. Default http. */
    type: withDefault(oneOf(['http', 'tcp', 'grpc']), 'http'),
    /** Path and query that are asked for (http). Default `/healthz`. */
    path: optional(text({ pattern: '^/[!-~]*$', remedy: 'write a path like "/healthz"' })),
    /** GET, HEAD or OPTIONS (http). Default GET. */
    method: optional(oneOf(['GET', 'HEAD', 'OPTIONS'])),
    /** Headers to send besides (http and grpc). */
    headers: optional(record(text())),
    /** Host header, `:authority` in HTTP/2 (http and grpc). Default: the target's own. */
    host: optional(text({ pattern: '^[!-~]+$', remedy: 'write a name like "users.internal"' })),
    /** Statuses that pass, and ranges of them (http). Default `['200-299']`. */
    status: optional(nonEmptyList(status, { noun: 'status' })),
    /** Text that has to occur in the first 64 KiB of the body (http). Default: any body will do. */
    body: optional(text({ minLength: 1 })),
    /** Name of the service that is asked about (grpc). Default: '', the server as a whole. */
    service: optional(text()),
    /** From the beginning of one check to the beginning of the next. Default 2s. */
    interval: withDefault(duration({ minimum: '10ms', maximum: '1h' }), '2s'),
    /** A check that takes longer has failed. Default 1s. */
    timeout: withDefault(duration({ minimum: 1, maximum: '1m' }), '1s'),
    /** Passed checks in a row that bring an unhealthy target back. Default 2. The very first check decides alone. */
    rise: withDefault(integer({ minimum: 1, maximum: 100 }), 2),
    /** Failed checks in a row that make a healthy target unhealthy. Default 3. */
    fall: withDefault(integer({ minimum: 1, maximum: 100 }), 3),
    /** The interval while in transition: after a first failure, or a first success. Default: a quarter of `interval`. */
    fastInterval: optional(duration({ minimum: '10ms', maximum: '1h' })),
    /** The interval while down. Default: `interval`. */
    downInterval: optional(duration({ minimum: '10ms', maximum: '1h' })),
    /** How far each interval may be off, either way, so that checks do not fall into step; 0.1 is 10 %. Default 0.1. */
    jitter: withDefault(decimal({ minimum: 0, maximum: 1 }), 0.1),
    /** Another port of the target to check on. Default: that of its origin. */
    port: optional(integer({ minimum: 1, maximum: 65_535 })),
  }),
)

export const schema = { upstream: { healthCheck } }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    healthCheck: typeof healthCheck
  }
}

export function check({ upstreams }: GatewayConfig): readonly Problem[] {
  return Object.entries(upstreams).flatMap(([name, upstream]) =>
    upstream.healthCheck === undefined
      ? []
      : healthCheckProblems(name, upstream.healthCheck, upstream.targets),
  )
}
