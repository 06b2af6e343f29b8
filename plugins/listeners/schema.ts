import type { ListenerTls } from '../config/certificate.ts'
import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { flag, guarded, integer, list, object, optional, text, withDefault } from '../config/kit.ts'
import { tlsProblems } from '../config/listener-tls.ts'
import type { PortUse } from '../config/ports.ts'
import { listenerTls } from '../config/schema.ts'

const port = integer({ minimum: 1, maximum: 65_535 })

/** Ports besides the main one. They serve the same routes under the same limits. */
const listeners = withDefault(
  list(
    object({
      port,
      /** Address or name to listen on. Default `0.0.0.0`, every address of version 4; `::` is all of both. */
      host: withDefault(text({ minLength: 1 }), '0.0.0.0'),
      /** Serves HTTPS. */
      tls: guarded(optional(listenerTls)),
      /** Offers HTTP/2 besides HTTP/1.1: by ALPN with TLS, else to clients that know beforehand. Default false. */
      http2: withDefault(flag(), false),
      /** Serves nothing, but sends everyone to `https:` at this port of the same host (308). */
      redirectToHttps: guarded(optional(port)),
    }),
  ),
  [],
)

export const schema = { gateway: { listeners } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    listeners: typeof listeners
  }
}

export function ports(config: GatewayConfig): readonly PortUse[] {
  return config.listeners.map(({ port, host }, index) => {
    const name = `listeners[${index}]`
    return { path: `${name}.port`, name, port, host }
  })
}

export function check(config: GatewayConfig): readonly Problem[] {
  const problems: Problem[] = []
  for (const [index, listener] of config.listeners.entries()) {
    const path = `listeners[${index}]`
    const { tls, redirectToHttps } = listener
    if (tls !== undefined) problems.push(...tlsProblems(tls as ListenerTls, `${path}.tls`))
    if (redirectToHttps !== undefined && tls !== undefined) {
      const message = 'serves `https:` already, so there is nowhere to redirect to; take out `tls` or this'
      problems.push({ path: `${path}.redirectToHttps`, message })
    }
  }
  return problems
}
