import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { decimal, duration, integer, switchable, withDefault } from '../config/kit.ts'
import { written } from '../config/messages.ts'

const count = { minimum: 1, maximum: 1_000_000 }

/** Learns from latency how many requests at once a target can do with. Default off; `true` takes all defaults. */
const adaptiveConcurrency = withDefault(
  switchable({
    /** Which quantile of the latencies is compared. Default 0.9. */
    quantile: withDefault(decimal({ minimum: 0.01, maximum: 0.999 }), 0.9),
    /** The limit is looked at this often, or as soon as `minSamples` are in after it. Default 100ms. */
    interval: withDefault(duration({ minimum: '10ms', maximum: '1h' }), '100ms'),
    /** Fewest latencies from which the limit is changed. Default 25. */
    minSamples: withDefault(integer(count), 25),
    /**
     * The latency without load is measured at the start and then this often, up to 15 % later: where there is no
     * quiet time for it, a target is given `min` requests at once. Default 30s.
     */
    minRttInterval: withDefault(duration({ minimum: '1s', maximum: '1d' }), '30s'),
    /** Latencies that such a measurement takes. Default 50. */
    minRttSamples: withDefault(integer(count), 50),
    /** Part of the latency without load by which latency may be higher and still be well. Default 0.25. */
    buffer: withDefault(decimal({ minimum: 0, maximum: 10 }), 0.25),
    /** Lowest limit, and what a target has under way at most in a quiet time. Default 3. */
    min: withDefault(integer(count), 3),
    /** Highest limit. Default 1000. */
    max: withDefault(integer(count), 1000),
    /** The limit that a target begins with. Default 20. */
    initial: withDefault(integer(count), 20),
  }),
  false,
)

export const schema = { upstream: { adaptiveConcurrency } }

export function check({ upstreams }: GatewayConfig): readonly Problem[] {
  return Object.entries(upstreams).flatMap(([name, { adaptiveConcurrency: limits }]) => {
    const { min, max, initial } = limits
    const path = (key: string) => written('upstreams', name, 'adaptiveConcurrency', key)
    if (min > max) {
      return [
        { path: path('min'), message: `must not be above max (${max}), is ${min}; lower it or raise max` },
      ]
    }
    if (initial >= min && initial <= max) return []
    return [{ path: path('initial'), message: `must be from min (${min}) to max (${max}), is ${initial}` }]
  })
}

declare module '../config/define.ts' {
  interface UpstreamSchema {
    adaptiveConcurrency: typeof adaptiveConcurrency
  }
}
