import { clientTls, clientTlsProblems } from '../config/client-tls.ts'
import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { duration, flag, oneOf, optional, section, size, withDefault } from '../config/kit.ts'

const upstream = {
  /** Deadlines. 0 is none. */
  timeouts: section({
    /** Until the request is on its way. To wait for others of ours is another matter: `limits.queueTimeout`. Default 3s. */
    connect: withDefault(duration(), '3s'),
    /** From then to the response headers. Default 30s. */
    response: withDefault(duration(), '30s'),
    /** Between two pieces of the response body. Default 2m. */
    idle: withDefault(duration(), '2m'),
    /**
     * A tunnel (WebSocket or another upgrade) that nothing has passed through for so long, in either direction, is
     * closed. Peers that vanished are found by the kernel's probes: this is for those who keep a connection and forget
     * it. HAProxy's manual takes 1h for it; with the 60s that nginx has, applications that send no pings break.
     * Default 1h.
     */
    tunnel: withDefault(duration(), '1h'),
    /** For the whole request, all attempts and pauses included, unless the route has its own. Default 0. */
    total: withDefault(duration(), 0),
    /** An idle kept-alive connection is closed after this; keep it below what the targets use. Default 4s. */
    keepAlive: withDefault(duration({ minimum: 1 }), '4s'),
  }),
  /** TLS to `https:` targets. Verified against the system's authorities unless told otherwise. */
  tls: optional(clientTls),
  /**
   * HTTP/2 to the targets: by ALPN for `https:`, with prior knowledge for `http:`. Trailers of requests are left out then.
   * Default false.
   */
  http2: withDefault(flag(), false),
  /** The Host that targets see: the client's (`preserve`) or their own (`target`). Default preserve. */
  host: withDefault(oneOf(['preserve', 'target']), 'preserve'),
  /** Which headers tell the targets of the client. Default x-forwarded. */
  forwarded: withDefault(oneOf(['x-forwarded', 'rfc7239', 'both', 'none']), 'x-forwarded'),
  /**
   * Responses up to this size are gathered whole before the client sees a byte, so that another target can answer
   * when this one fails in mid-body. Event streams and the like are passed on at once. Default 64KiB.
   */
  gatherResponse: withDefault(size({ minimum: 0, maximum: '16MiB' }), '64KiB'),
  /** A response of unknown length that is not whole after this is passed on piece by piece. Default 50ms. */
  gatherWithin: withDefault(duration({ maximum: '1m' }), '50ms'),
  /** Largest response header block. Default 32KiB. */
  responseHeaderLimit: withDefault(size({ minimum: '1KiB', maximum: '1MiB' }), '32KiB'),
}

export const schema = { upstream }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    timeouts: typeof upstream.timeouts
    tls: typeof upstream.tls
    http2: typeof upstream.http2
    host: typeof upstream.host
    forwarded: typeof upstream.forwarded
    gatherResponse: typeof upstream.gatherResponse
    gatherWithin: typeof upstream.gatherWithin
    responseHeaderLimit: typeof upstream.responseHeaderLimit
  }
}

export function check(config: GatewayConfig): readonly Problem[] {
  return Object.entries(config.upstreams).flatMap(([name, { tls, targets }]) => {
    if (tls === undefined) return []
    const path = `upstreams.${name}.tls`
    const problems: Problem[] = []
    if (!targets.some(({ origin }) => origin.startsWith('https:'))) {
      problems.push({
        path,
        message: 'no target is https:, so it would do nothing; take it out or change the origins',
      })
    }
    return [...problems, ...clientTlsProblems(tls, path)]
  })
}
