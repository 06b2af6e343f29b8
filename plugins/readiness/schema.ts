import { section, text, withDefault } from '../config/kit.ts'

const path = text({ pattern: '^/[!-~]*$', remedy: 'write a path like "/livez"' })

/** Where the gateway's own health is found on the public port. */
const endpoints = section({
  /** 200 while the process runs. Default `/livez`. */
  live: withDefault(path, '/livez'),
  /**
   * 200 while requests are welcome: a target is usable, no plugin waits for what it cannot do without, and no stop is under
   * way. Default `/readyz`.
   */
  ready: withDefault(path, '/readyz'),
})

export const schema = { gateway: { endpoints } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    endpoints: typeof endpoints
  }
}
