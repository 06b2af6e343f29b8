import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { decimal, duration, flag, integer, section, switchable, withDefault } from '../config/kit.ts'
import { written } from '../config/messages.ts'
import type { Resolved } from '../config/typed.ts'

/** `enforce: false` on one way of detection only says what it would do, as an event `would-eject`. */
const enforce = withDefault(flag(), true)

/** Failures or silence in a row. */
const consecutive = section({
  /** Failures in a row, with no success between, that eject a target at once, unless all others fail too. Default 5. */
  failures: withDefault(integer({ minimum: 1, maximum: 10_000 }), 5),
  /**
   * Attempts in a row, overtaken by a later hedge or given up by their clients, that eject a target when it has answered
   * nothing for 200 ms. Default 3.
   */
  overtaken: withDefault(integer({ minimum: 1, maximum: 10_000 }), 3),
  /** `false` only says what it would do. Default true. */
  enforce,
})

/** A success rate far below that of the others. */
const successRate = section({
  /** A target is ejected below the mean of its tier less this many standard deviations. Default 1.9. */
  factor: withDefault(decimal({ minimum: 0.1, maximum: 10 }), 1.9),
  /** And only if it is below that mean by this much (0.05 is 5 percentage points) as well. Default 0.05. */
  minDifference: withDefault(decimal({ minimum: 0, maximum: 1 }), 0.05),
  /** Targets of the tier that need `minRequests` before they are compared. Default 5. */
  minTargets: withDefault(integer({ minimum: 2, maximum: 10_000 }), 5),
  /** Requests that a target needs in an interval to be compared. Default 100. */
  minRequests: withDefault(integer({ minimum: 1, maximum: 1_000_000 }), 100),
  /** `false` only says what it would do. Default true. */
  enforce,
})

/** Too many failures, whatever the others do. */
const failurePercentage = section({
  /** Failures per request from which on a target is ejected. Default 0.85. */
  threshold: withDefault(decimal({ minimum: 0.01, maximum: 1 }), 0.85),
  /** Targets of the tier that need `minRequests` before any is judged. Default 2. */
  minTargets: withDefault(integer({ minimum: 1, maximum: 10_000 }), 2),
  /** Requests that a target needs in an interval to be judged. Default 50. */
  minRequests: withDefault(integer({ minimum: 1, maximum: 1_000_000 }), 50),
  /** `false` only says what it would do. Default true. */
  enforce,
})

/** A latency far above that of the others. */
const latency = section({
  /** A target is ejected when its median latency is above this many times that of the others. Default 3. */
  factor: withDefault(decimal({ minimum: 1, maximum: 1000 }), 3),
  /** And only if it is above it by this much as well. Default 50ms. */
  minDifference: withDefault(duration({ maximum: '10m' }), '50ms'),
  /** Targets of the tier that need `minRequests` before they are compared. Default 3. */
  minTargets: withDefault(integer({ minimum: 2, maximum: 10_000 }), 3),
  /** Latencies that a target needs in an interval to be compared. Default 20. */
  minRequests: withDefault(integer({ minimum: 1, maximum: 1_000_000 }), 20),
  /** `false` only says what it would do. Default true. */
  enforce,
})

/** A target that requests show to be bad is taken out for a while. `false` turns it off. Default on. */
const outlierDetection = withDefault(
  switchable({
    consecutive,
    /** How often targets are compared with each other. Default 10s. */
    interval: withDefault(duration({ minimum: '100ms', maximum: '1h' }), '10s'),
    successRate,
    failurePercentage,
    latency,
    /**
     * How long a target is out, times the number of times that it was ejected. One that was only silent: at most 5s at
     * first, and twice as long each time. Default 30s.
     */
    baseEjection: withDefault(duration({ minimum: '1ms', maximum: '1d' }), '30s'),
    /** The longest time that a target is out; up to a tenth of it comes on top at random. Default 300s. */
    maxEjection: withDefault(duration({ minimum: '1ms', maximum: '1d' }), '300s'),
    /** Fraction of the targets of a tier that may be out at the same time; one always may, but never the last of the upstream. Default 0.67. */
    maxEjected: withDefault(
      decimal({
        minimum: 0.01,
        maximum: 1,
        remedy:
          'to eject none, write `outlierDetection: false` or `enforce: false` where it should only speak',
      }),
      0.67,
    ),
    /** Sends a target that fails now and then less than its share, so that failing fast attracts nothing. Default true. */
    doubt: withDefault(flag(), true),
  }),
  {},
)

export type OutlierDetection = Resolved<typeof outlierDetection>

export const schema = { upstream: { outlierDetection } }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    outlierDetection: typeof outlierDetection
  }
}

export function check(config: GatewayConfig): readonly Problem[] {
  return Object.entries(config.upstreams).flatMap(([name, { outlierDetection }]) => {
    const { baseEjection, maxEjection } = outlierDetection
    if (baseEjection <= maxEjection) return []
    const path = written('upstreams', name, 'outlierDetection', 'maxEjection')
    return [
      { path, message: `is shorter than baseEjection (${baseEjection}ms); raise it, or lower baseEjection` },
    ]
  })
}
