import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  decimal,
  duration,
  flag,
  integer,
  object,
  oneOf,
  optional,
  record,
  shorthand,
  text,
  withDefault,
} from '../config/kit.ts'
import { written } from '../config/messages.ts'

function refuseEndpoint(value: unknown): string | undefined {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return `"${value}" is no http or https URL`
  return url.username === '' && url.password === ''
    ? undefined
    : 'holds credentials; put them into `headers`, from the environment'
}

const sample = object({
  /** 0..1 of the traces that begin here: by their id, so that all who see a trace choose alike. Default 1. */
  ratio: withDefault(decimal({ minimum: 0, maximum: 1 }), 1),
  /** Requests that failed (5xx, or not answered whole) are recorded, chosen or not. Default true. */
  errors: withDefault(flag(), true),
  /** Requests that took longer are recorded, chosen or not; a tunnel is none of them. */
  slowerThan: optional(duration({ minimum: 1 })),
})

/** Passes on W3C Trace Context, and sends OpenTelemetry spans to a collector. */
const tracing = optional(
  object({
    /**
     * Where spans are sent, by OTLP over HTTP: `http://collector:4318`, to which `/v1/traces` is added, or a URL with
     * a path. Without it ids are passed on and logged, and nothing is recorded.
     */
    endpoint: optional(custom<string>(refuseEndpoint, { remedy: 'write "http://127.0.0.1:4318"' })),
    /** Sent along with spans, such as a token: take it from the environment. */
    headers: withDefault(record(text({ pattern: '^[\\t\\x20-\\x7e]*$' }), { names: '^[A-Za-z0-9-]+$' }), {}),
    /** Default gzip. */
    compression: withDefault(oneOf(['gzip', 'none']), 'gzip'),
    /** Which traces are recorded. A number is the ratio. */
    sample: withDefault(shorthand('ratio', sample), {}),
    /**
     * Whose traces are gone on with: everybody's (`always`), those of peers in `server.trustProxy` (`proxies`), or
     * nobody's (`never`). For the others a new trace begins, which links to theirs. Default proxies.
     */
    trust: withDefault(oneOf(['always', 'proxies', 'never']), 'proxies'),
    /** What this gateway is called in traces. Default holdfast. */
    serviceName: withDefault(text({ minLength: 1 }), 'holdfast'),
    /** More attributes of this gateway (of the resource), such as `deployment.environment.name`. */
    attributes: withDefault(record(text()), {}),
    /** The collector has this long to take a batch. Default 5s. */
    timeout: withDefault(duration({ minimum: '100ms', maximum: '1m' }), '5s'),
    /** Spans wait for others this long. Default 1s. */
    interval: withDefault(duration({ minimum: '10ms', maximum: '1m' }), '1s'),
    /** Spans that may wait, a kilobyte each; one more pushes out the oldest. Default 4096. */
    queue: withDefault(integer({ minimum: 1, maximum: 1_000_000 }), 4096),
  }),
)

export const schema = { gateway: { tracing } }

/** Said by the exporter itself. */
const OWN_HEADERS = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'transfer-encoding',
])

export function check(config: GatewayConfig): readonly Problem[] {
  const { tracing } = config
  if (tracing === undefined) return []
  const problems: Problem[] = []
  for (const name of Object.keys(tracing.headers)) {
    if (OWN_HEADERS.has(name.toLowerCase())) {
      problems.push({
        path: written('tracing', 'headers', name),
        message: 'is said by the exporter; leave it out',
      })
    }
  }
  if (tracing.endpoint === undefined && Object.keys(tracing.headers).length > 0) {
    problems.push({
      path: 'tracing.headers',
      message: 'are sent to nobody; name the collector in `endpoint`, or leave them out',
    })
  }
  if ('service.name' in tracing.attributes) {
    problems.push({
      path: written('tracing', 'attributes', 'service.name'),
      message: 'has a key of its own; write `serviceName`',
    })
  }
  return problems
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    tracing: typeof tracing
  }
}
