import { flag, section, withDefault } from '../config/kit.ts'

const logs = section({
  /** One line per request. Default true. */
  access: withDefault(flag(), true),
  /** The id that a request has in the logs is told to the client as `x-request-id`. Default true. */
  requestId: withDefault(flag(), true),
})

export const schema = { gateway: { logs } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    logs: typeof logs
  }
}
