import {
  decimal,
  duration,
  flag,
  list,
  oneOf,
  optional,
  section,
  size,
  text,
  withDefault,
} from '../config/kit.ts'

/** What is logged of each request. */
const logs = section({
  /** One line per request. Default true. */
  access: withDefault(flag(), true),
  /** The id that a request has in the logs is told to the client as `x-request-id`. Default true. */
  requestId: withDefault(flag(), true),
  /**
   * How that line is written: as `json`; `pretty`, a line of text for people, in colour at a terminal; or `auto`,
   * pretty at a terminal and else JSON. Other lines are JSON always. Default json.
   */
  format: withDefault(oneOf(['json', 'pretty', 'auto']), 'json'),
  /**
   * 0..1 of the requests that ended well (below 400) that are logged. Failed, slow and broken ones always are.
   * Default 1.
   */
  sample: withDefault(decimal({ minimum: 0, maximum: 1 }), 1),
  /**
   * Requests that take longer are logged as a warning, with when each attempt began and how long it took. A tunnel is
   * never slow.
   */
  slowerThan: optional(duration({ minimum: 1 })),
  /** Names and kinds of callers that have been authenticated are logged. Default true. */
  identity: withDefault(flag(), true),
  /** Request headers that are logged. The values of those that hold credentials never are. Default none. */
  headers: withDefault(
    list(text({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", remedy: 'write a name like "user-agent"' })),
    [],
  ),
  /**
   * Memory for lines that the output has not taken yet; further ones are lost and counted, so that a log that nobody
   * reads, or that has no room, stops no request. Default 16MiB.
   */
  buffer: withDefault(size({ minimum: '4KiB', maximum: '1GiB' }), '16MiB'),
})

export const schema = { gateway: { logs } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    logs: typeof logs
  }
}
