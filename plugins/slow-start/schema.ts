import { decimal, duration, object, optional, shorthand, withDefault } from '../config/kit.ts'

/** A target that comes back or is new gets its traffic little by little. Default: at once. */
const slowStart = optional(
  shorthand(
    'window',
    object({
      /** How long it takes until the target has all of its traffic. */
      window: duration({ minimum: '100ms', maximum: '1h' }),
      /** 1 is a straight line; above, the share grows fast at first; below, late. Default 1. */
      aggression: withDefault(decimal({ minimum: 0.1, maximum: 10 }), 1),
      /** Share of its traffic that it begins with: 0.1 is 10 %. Default 0.1. */
      min: withDefault(decimal({ minimum: 0.01, maximum: 1 }), 0.1),
    }),
  ),
)

export const schema = { upstream: { slowStart } }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    slowStart: typeof slowStart
  }
}
