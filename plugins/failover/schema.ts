import { custom, decimal, duration, integer, list, section, switchable, withDefault } from '../config/kit.ts'
import { show } from '../config/messages.ts'
import type { Duration } from '../config/typed.ts'
import { LONGEST_MS, parseDuration } from '../config/units.ts'
import { quantileOf } from './hedging.ts'

function refuseAfter(value: unknown): string | undefined {
  if (quantileOf(value) !== undefined) return undefined
  const ms = parseDuration(value)
  if (ms === undefined) return `${show(value)} is neither a quantile nor a duration`
  return ms > LONGEST_MS ? 'is longer than any request lasts' : undefined
}

const hedge = switchable({
  /** A quantile of the latencies seen on the route of late (1s until 20 are known), or a duration. Default p95. */
  after: withDefault(
    custom<`p${number}` | Duration>(refuseAfter, { remedy: 'write "p95", "p99" or "30ms"' }),
    'p95',
  ),
  /** However quick the route is, not before this. Default 5ms. */
  atLeast: withDefault(duration({ maximum: '1m' }), '5ms'),
  /** Hedges per request, over the last ten seconds. Default 0.05. */
  maxExtra: withDefault(decimal({ minimum: 0, maximum: 1 }), 0.05),
  /** Hedges per second that are always allowed. Default 5. */
  minPerSecond: withDefault(decimal({ minimum: 0, maximum: 100_000 }), 5),
})

/** What happens when an attempt fails. */
const failover = section({
  /** Further attempts after the first one, hedges included; 0 is none. Refused connections do not count. Default 2. */
  retries: withDefault(integer({ minimum: 0, maximum: 10 }), 2),
  /** Statuses that count as a failed attempt where repeating is allowed. Default 502, 503 and 504. */
  retryOn: withDefault(list(integer({ minimum: 400, maximum: 599 })), [502, 503, 504]),
  /** Longest pause before the second and later retries. The first goes to another target at once. Default 250ms. */
  maxBackoff: withDefault(duration({ maximum: '1m' }), '250ms'),
  /**
   * A target that is to be asked again, for want of another, is waited for as long as its Retry-After says; if that
   * is more than this, its answer is passed on. Default 1s.
   */
  maxRetryAfter: withDefault(duration({ maximum: '5m' }), '1s'),
  /** A target that answers 503 with a Retry-After is spared for as long as it says, up to this; 0 is never. Default 30s. */
  spareFor: withDefault(duration({ maximum: '1h' }), '30s'),
  /** How much of the traffic retries may be, so that a sick upstream is not stormed. Refused connections are free. */
  budget: section({
    /** Retries per request, over the last ten seconds. Default 0.2. */
    ratio: withDefault(decimal({ minimum: 0, maximum: 10 }), 0.2),
    /** Retries per second that are always allowed. Default 10. */
    minPerSecond: withDefault(decimal({ minimum: 0, maximum: 100_000 }), 10),
  }),
  /**
   * A request that may be repeated, and that takes longer than most, is sent to a second target as well. The first
   * whole answer wins, the other attempt is cancelled. Where that one is silent too, there is a third. `false` turns it off.
   */
  hedge: withDefault(hedge, {}),
})

export const schema = { upstream: { failover } }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    failover: typeof failover
  }
}
