import { METHODS } from 'node:http'
import type { GatewayConfig, RouteConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  byUpstream,
  custom,
  decimal,
  duration,
  flag,
  guarded,
  integer,
  list,
  nonEmptyList,
  object,
  oneOf,
  oneOrMore,
  optional,
  record,
  shorthand,
  text,
  upstreamName,
  withDefault,
} from '../config/kit.ts'
import { show } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import type { Schema } from '../config/typed.ts'
import { routeProblems } from './check.ts'

function refusePath(value: unknown): string | undefined {
  if (value instanceof RegExp) return undefined
  if (typeof value === 'string' && /^[/~]/.test(value)) return undefined
  return `must be a path like "/users/*" or a regular expression, is ${show(value)}`
}

function refuseMatcher(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || value instanceof RegExp) return undefined
  return 'must be text (the exact value), a regular expression, true (present) or false (absent)'
}

type PathPattern = `/${string}` | `~${string}` | RegExp
const matcher = custom<string | RegExp | boolean>(refuseMatcher)
const headerEdits = object({
  /** Replaces what is there. */
  set: optional(record(text())),
  /** Adds a value to what is there. */
  add: optional(record(text())),
  remove: optional(list(text())),
})

function refuseMethod(value: unknown): string | undefined {
  if (typeof value !== 'string') return `must be text, is ${show(value)}`
  if (!/^[A-Z][A-Z-]*$/.test(value)) {
    return `${show(value)} is not of the right form; write methods in capitals: "GET"`
  }
  if (value === 'CONNECT')
    return 'CONNECT is for proxies that clients choose, and never gets here; take it out'
  return METHODS.includes(value)
    ? undefined
    : `${show(value)} is no method that Node reads; ${suggestion(value, METHODS)}`
}
const methodName = custom<string>(refuseMethod)

function refuseRepeatable(value: unknown): string | undefined {
  return typeof value === 'boolean' || value === 'idempotency-key'
    ? undefined
    : "is neither true, false nor 'idempotency-key'"
}

const route = {
  /** How logs and metrics call it. Default: host and path. */
  name: optional(text({ minLength: 1 })),
  /** `api.example.com` or `*.example.com`, or a list of them. Default: any. */
  host: guarded(optional(oneOrMore(text({ minLength: 1 }), { noun: 'host' }))),
  /** `/users`, `/users/:id`, `/users/*`, a RegExp over the whole path, or `~` and the text of one. */
  path: custom(refusePath) as Schema<PathPattern, string | RegExp>,
  /** Default: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS and QUERY. GET brings HEAD with it. */
  methods: guarded(optional(nonEmptyList(methodName, { noun: 'method' }))),
  /**
   * Headers that a request must have: the exact value, a regular expression, true (any) or false (none). A request that
   * says one of these several times, and would match by one value and not by another, is refused with 400: upstreams do
   * not agree on which of them counts.
   */
  headers: guarded(optional(record(matcher))),
  /** Parameters of the query, in the same way. */
  query: guarded(optional(record(matcher))),
  /** Cookies, in the same way. */
  cookies: guarded(optional(record(matcher))),
  /** Where it goes. One of `upstream`, `split`, `redirect`, `respond` and `endpoint`. */
  upstream: optional(upstreamName()),
  /** Several upstreams and their shares: `{ users: 95, canary: 5 }`. */
  split: optional(byUpstream(decimal({ minimum: 0 }))),
  redirect: optional(
    shorthand(
      'to',
      object({
        /** A path or URL, with the parameters of the path: `https://www.example.com/:id`. */
        to: text({ minLength: 1 }),
        /** Default 308. */
        status: withDefault(oneOf([301, 302, 303, 307, 308]), 308),
        /** The query goes along. Default true. */
        keepQuery: withDefault(flag(), true),
      }),
    ),
  ),
  /** An answer of the gateway's own. */
  respond: optional(
    object({
      status: withDefault(integer({ minimum: 200, maximum: 599 }), 200),
      headers: withDefault(record(text()), {}),
      body: withDefault(text(), ''),
    }),
  ),
  /**
   * A file in `routes/`, or a plugin, answers this very path: here stands what guards it, and what the logs call it.
   * Takes no conditions but `methods`.
   */
  endpoint: optional(custom<true>((value) => (value === true ? undefined : 'is true or left out'))),
  /** An upstream that is sent copies, whose answers are ignored. Bodies beyond `server.replayBody` are not copied. */
  mirror: optional(
    shorthand(
      'upstream',
      object({
        upstream: upstreamName(),
        /** Share of the requests, 0 to 100. Default 100. */
        percent: withDefault(decimal({ minimum: 0, maximum: 100 }), 100),
      }),
    ),
  ),
  /** Taken off the front of the path: `/users`. */
  stripPrefix: optional(text({ minLength: 1 })),
  /** The path for the target, with the parameters of the path: `/v2/*`. */
  rewrite: optional(text({ minLength: 1 })),
  /** What the upstream gets. Values are sent to the letter: there are no variables. */
  requestHeaders: optional(headerEdits),
  /** What the client gets, with errors of the gateway's own too, but for what describes a body or how long it is kept. */
  responseHeaders: optional(headerEdits),
  requestQuery: optional(headerEdits),
  /** For the whole exchange, all attempts included. 0 is none. Default: `timeouts.total` of the upstream. */
  timeout: optional(duration()),
  /**
   * Repeating a request of this route does no harm, whatever its method; `'idempotency-key'`: if it has a header of
   * that name, which the upstream then has to honour. Default: by the method (RFC 9110, 9.2.2).
   */
  repeatable: optional(custom<boolean | 'idempotency-key'>(refuseRepeatable)),
  /** Protocols that a client may upgrade to. Default `['websocket']`. */
  upgrade: withDefault(list(text({ minLength: 1 })), ['websocket']),
  /** Level of the log lines of this route. Default: that of the process. */
  logLevel: optional(oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])),
}

export const schema = { route }

declare module '../config/define.ts' {
  interface RouteSchema {
    name: typeof route.name
    host: typeof route.host
    path: typeof route.path
    methods: typeof route.methods
    headers: typeof route.headers
    query: typeof route.query
    cookies: typeof route.cookies
    upstream: typeof route.upstream
    split: typeof route.split
    redirect: typeof route.redirect
    respond: typeof route.respond
    endpoint: typeof route.endpoint
    mirror: typeof route.mirror
    stripPrefix: typeof route.stripPrefix
    rewrite: typeof route.rewrite
    requestHeaders: typeof route.requestHeaders
    responseHeaders: typeof route.responseHeaders
    requestQuery: typeof route.requestQuery
    timeout: typeof route.timeout
    repeatable: typeof route.repeatable
    upgrade: typeof route.upgrade
    logLevel: typeof route.logLevel
  }
}

export async function check(
  { routes, server }: GatewayConfig,
  found: readonly Problem[] = [],
): Promise<readonly Problem[]> {
  const refused = found.flatMap(({ path }) => /^routes\[(\d+)\]/.exec(path)?.[1] ?? []).map(Number)
  return routeProblems(routes as readonly RouteConfig[], server?.encodedSlash === true, new Set(refused))
}
