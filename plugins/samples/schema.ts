import type { GatewayConfig } from '../config/define.ts'
import { integer, list, optional } from '../config/kit.ts'
import type { PortUse } from '../config/ports.ts'

/** Ports on which sample targets are started along with the gateway, to have something to proxy to. */
const samples = optional(list(integer({ minimum: 1024, maximum: 65_535 })))

export function ports({ samples = [] }: GatewayConfig): readonly PortUse[] {
  return samples.map((port, index) => {
    const path = `samples[${index}]`
    return { path, name: path, port, host: '127.0.0.1' }
  })
}

export const schema = { gateway: { samples } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    samples: typeof samples
  }
}
