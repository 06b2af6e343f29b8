import { integer, list, optional } from '../config/kit.ts'

/** Ports on which sample targets are started along with the gateway, to have something to proxy to. */
const samples = optional(list(integer({ minimum: 1024, maximum: 65_535 })))

export const schema = { gateway: { samples } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    samples: typeof samples
  }
}
