import type { GatewayConfig } from '../config/define.ts'
import { integer, list, object, optional, text, withDefault } from '../config/kit.ts'
import type { PortUse } from '../config/ports.ts'

/** A second listener for operators and scrapers. Nothing of it is ever served on the public port. */
const admin = optional(
  object({
    /** Default 127.0.0.1: who may reach it, may change the gateway. */
    host: withDefault(text({ minLength: 1 }), '127.0.0.1'),
    /**
     * Names that it answers to, besides addresses, `localhost` and `host`: such as that of its container, by which
     * Prometheus scrapes it. Without ports. Default none.
     */
    hosts: withDefault(
      list(text({ pattern: '^[A-Za-z0-9._-]+$', remedy: 'write a name like "gateway-1"' })),
      [],
    ),
    port: integer({ minimum: 1024, maximum: 65_535 }),
  }),
)

export function ports({ admin }: GatewayConfig): readonly PortUse[] {
  return admin === undefined
    ? []
    : [{ path: 'admin.port', name: 'admin', port: admin.port, host: admin.host }]
}

export const schema = { gateway: { admin } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    admin: typeof admin
  }
}
