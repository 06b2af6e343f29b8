import { decimal, duration, integer, list, section, withDefault } from '../config/kit.ts'

const failover = section(
  {
    /** Further attempts after the first one; 0 is none. Default 2. */
    retries: withDefault(integer({ minimum: 0, maximum: 10 }), 2),
    /** Statuses that count as a failed attempt where repeating is allowed. Default 502, 503 and 504. */
    retryOn: withDefault(list(integer({ minimum: 400, maximum: 599 })), [502, 503, 504]),
    /** Longest pause before the second and later retries. The first goes to another target at once. Default 250ms. */
    maxBackoff: withDefault(duration({ maximum: '1m' }), '250ms'),
    /** How much of the traffic retries may be, so that a sick upstream is not stormed. */
    budget: section({
      /** Retries per request, over the last ten seconds. Default 0.2. */
      ratio: withDefault(decimal({ minimum: 0, maximum: 10 }), 0.2),
      /** Retries per second that are always allowed. Default 10. */
      minPerSecond: withDefault(decimal({ minimum: 0, maximum: 100_000 }), 10),
    }),
  },
  { description: 'What happens when an attempt fails.' },
)

export const schema = { upstream: { failover } }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    failover: typeof failover
  }
}
