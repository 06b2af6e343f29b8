import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { decimal, duration, integer, oneOf, switchable, withDefault } from '../config/kit.ts'
import { written } from '../config/messages.ts'

/** Gives up on what fails for a while, then tries it with single requests. Default off; `true` takes all defaults. */
const circuitBreaker = withDefault(
  switchable({
    /** One breaker for each target, or one for the upstream as a whole. Default `'target'`. */
    scope: withDefault(oneOf(['target', 'upstream']), 'target'),
    /** It opens when this share of the attempts in the window failed. Default 0.5. */
    errorRatio: withDefault(decimal({ minimum: 0.01, maximum: 1 }), 0.5),
    /** Fewest attempts in the window for a share to mean anything. Default 20. */
    minimum: withDefault(integer({ minimum: 1, maximum: 1_000_000 }), 20),
    /** How far back attempts are counted. Default 10s. */
    window: withDefault(duration({ minimum: '100ms', maximum: '1h' }), '10s'),
    /** It opens too after this many failures in a row, however few they are; 0 is never. Default 10. */
    consecutive: withDefault(integer({ minimum: 0, maximum: 1_000_000 }), 10),
    /**
     * It stays open for this long, give or take a fifth. Doubled each time that it opens again, until it has been
     * closed for a window. Default 5s.
     */
    openFor: withDefault(duration({ minimum: '10ms', maximum: '1h' }), '5s'),
    /** `openFor` is doubled up to this, give or take a fifth. Default 1m. */
    maxOpenFor: withDefault(duration({ minimum: '10ms', maximum: '1d' }), '1m'),
    /** Requests that may try a half-open one at the same time. Default 1. */
    probes: withDefault(integer({ minimum: 1, maximum: 1000 }), 1),
    /** It closes when this many of them have succeeded. Default 2. */
    successes: withDefault(integer({ minimum: 1, maximum: 1000 }), 2),
  }),
  false,
)

export const schema = { upstream: { circuitBreaker } }

export function check({ upstreams }: GatewayConfig): readonly Problem[] {
  return Object.entries(upstreams).flatMap(([name, { circuitBreaker: breaker }]) => {
    if (breaker.maxOpenFor >= breaker.openFor) return []
    const message = `must not be below openFor (${breaker.openFor} ms), is ${breaker.maxOpenFor} ms; raise it or lower openFor`
    return [{ path: written('upstreams', name, 'circuitBreaker', 'maxOpenFor'), message }]
  })
}

declare module '../config/define.ts' {
  interface UpstreamSchema {
    circuitBreaker: typeof circuitBreaker
  }
}
