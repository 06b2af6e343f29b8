import { isIP } from 'node:net'
import type { ListenerTls } from './certificate.ts'
import type { GatewayConfig } from './define.ts'
import type { Problem } from './errors.ts'
import {
  custom,
  duration,
  flag,
  guarded,
  integer,
  list,
  object,
  oneOf,
  optional,
  section,
  size,
  text,
  withDefault,
} from './kit.ts'
import { tlsProblems } from './listener-tls.ts'

/** PEM text, or the path of a PEM file. */
const certificate = text({ minLength: 1 })

/** How a listener speaks TLS. */
export const listenerTls = object({
  cert: certificate,
  key: certificate,
  /**
   * Further certificates, each for the hosts that it names itself (subjectAltName). A client that asks for one of them
   * (SNI) is shown it, any other the first. With several of them TLS sessions are not resumed. Default: none.
   */
  more: guarded(optional(list(object({ cert: certificate, key: certificate })))),
  /** Clients are asked for a certificate of this authority, or of one of several. */
  clientCa: optional(certificate),
  /**
   * `'require'`: nobody is let in without one. `'request'`: whoever has none, or a bad one, is let in without it, and
   * may prove himself to routes in another way. Default `'require'`, where there is a `clientCa`.
   */
  clientAuth: optional(oneOf(['require', 'request'])),
})

function refuseAddress(value: unknown): string | undefined {
  const [address = '', prefix, ...rest] = typeof value === 'string' ? value.split('/') : []
  const family = isIP(address)
  const whole =
    prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  return family > 0 && whole && rest.length === 0 && !address.includes('%')
    ? undefined
    : `"${value}" is no address or range`
}

/** An address of version 4 or 6, or a range of them. */
export const addressOrRange = custom<string>(refuseAddress, {
  remedy: 'write "10.0.0.1", "10.0.0.0/8" or "::1"',
})

/** The public side: limits, time-outs, who is believed. */
const server = section({
  /**
   * Peers whose X-Forwarded-*, Forwarded and request id headers are believed. X-Forwarded-For is read, and passed on,
   * without ports and brackets; what is no address in it is `unknown`. Default: none.
   */
  trustProxy: withDefault(list(addressOrRange), []),
  /** Largest request body. Default 10MiB. */
  bodyLimit: withDefault(size({ minimum: 1 }), '10MiB'),
  /** Bodies up to this size are read whole before an attempt is made. Default 64KiB. */
  replayBody: withDefault(size({ minimum: 0, maximum: '16MiB' }), '64KiB'),
  /**
   * Memory for bodies held whole: requests that may have to be sent again, and answers being gathered. When it is
   * used up, further bodies are streamed. Default 256MiB.
   */
  bodyMemory: withDefault(size({ minimum: 0 }), '256MiB'),
  /** Largest request line and headers. Default 16KiB. */
  headerLimit: withDefault(size({ minimum: '1KiB', maximum: '1MiB' }), '16KiB'),
  /** A client has this long to send its headers. Default 10s. */
  headersTimeout: withDefault(duration({ minimum: 1 }), '10s'),
  /** A client has this long to send its whole request. Default 5m. */
  requestTimeout: withDefault(duration({ minimum: 1 }), '5m'),
  /** A connection on which nothing moves for this long, inside a request, is closed. Default 2m. */
  idleTimeout: withDefault(duration({ minimum: 1 }), '2m'),
  /** An idle kept-alive connection is closed after this. Default 72s, above what load balancers before us use. */
  keepAliveTimeout: withDefault(duration({ minimum: 1 }), '72s'),
  /** A connection is closed after this many requests; 0 is never. Default 0. */
  requestsPerConnection: withDefault(integer({ minimum: 0 }), 0),
  /** On a stop, requests are still taken for this long while /readyz already says no. Default 5s. */
  drain: withDefault(duration({ maximum: '10m' }), '5s'),
  /** `%2f` and `%5c` in paths reach upstreams as they are instead of being refused. Default false. */
  encodedSlash: withDefault(flag(), false),
  /** Serves HTTPS on the main port. */
  tls: guarded(optional(listenerTls)),
  /** Offers HTTP/2 besides HTTP/1.1: by ALPN with TLS, else to clients that know beforehand (h2c). Default false. */
  http2: withDefault(flag(), false),
})

export const schema = { gateway: { server } }

export function check(config: GatewayConfig): readonly Problem[] {
  const { tls } = config.server
  return tls === undefined ? [] : tlsProblems(tls as ListenerTls, 'server.tls')
}

declare module './define.ts' {
  interface GatewaySchema {
    server: typeof server
  }
}
