/** Options of the balancers that look at load: names, types, defaults. */
import {
  decimal,
  duration,
  flag,
  integer,
  object,
  oneOf,
  optional,
  text,
  withDefault,
} from '../config/kit.ts'

const SECONDS = { minimum: '100ms', maximum: '1h' } as const

export const leastRequestsOptions = object({
  /** How many targets are drawn by weight and compared. Left out: two, or all where there are up to eight. */
  choices: optional(integer({ minimum: 2, maximum: 64 })),
  /** Compare all targets instead, which costs O(N). Left out: up to eight targets are, unless `choices` says otherwise. */
  fullScan: optional(flag({ remedy: 'or leave it out: then up to eight targets are all compared' })),
  /** How strongly requests under way count against weight: requests^bias / weight. Default 1. */
  bias: withDefault(
    decimal({
      minimum: 0.01,
      maximum: 10,
      remedy: 'without it weight alone decides: take "smooth-weighted" then',
    }),
    1,
  ),
})

export const p2cOptions = object({
  /**
   * What "loaded" means. `inflight`: requests under way. `ewma`: latency, averaged over time. `peak-ewma`: latency that
   * takes a peak at once and forgets it slowly, times requests under way. Default `peak-ewma`.
   */
  load: withDefault(oneOf(['inflight', 'ewma', 'peak-ewma']), 'peak-ewma'),
  /**
   * Time constant by which a latency is forgotten; of a target of less than the mean weight longer in proportion, up to
   * ten times. Default 10s.
   */
  decay: withDefault(duration(SECONDS), '10s'),
})

export const orcaWeightedOptions = object({
  /** A target's reports count from this long after its first one on. Default 10s. */
  blackout: withDefault(duration({ maximum: '1h' }), '10s'),
  /** A report is void after this long. Default 3m. */
  expiration: withDefault(duration({ minimum: '1s', maximum: '1d' }), '3m'),
  /** Weights are set anew this often. Default 1s. */
  updatePeriod: withDefault(duration(SECONDS), '1s'),
  /** What a share of errors adds to the utilisation: 1 counts 10 % errors as 0.1 more. Default 1. */
  errorUtilizationPenalty: withDefault(decimal({ minimum: 0, maximum: 100 }), 1),
})

export const prequalOptions = object({
  /** Where targets are asked for `{ "rif": 3, "latencyMs": 12 }`. Left out: their reports or the gateway's own counters. */
  probe: optional(
    object({
      path: text({ pattern: '^/[!-~]*$', remedy: 'write a path like "/prequal"' }),
      /** Default 100ms. */
      timeout: withDefault(duration({ minimum: '1ms', maximum: '10s' }), '100ms'),
    }),
  ),
  /** Probes a request; below 1 is one in so many requests. Default 3. */
  probes: withDefault(decimal({ minimum: 0.1, maximum: 16 }), 3),
  /** Answers that are held. Left out: half as many as there are targets, from 4 to 16. */
  poolSize: optional(integer({ minimum: 2, maximum: 64 })),
  /** An answer is used for at most this long. Default 1s. */
  maxAge: withDefault(duration({ minimum: '10ms', maximum: '1m' }), '1s'),
  /**
   * A target is hot with more requests in flight than this quantile of the recent answers. 0 looks at requests in
   * flight only, 1 at latency only. Default 0.84.
   */
  hotQuantile: withDefault(decimal({ minimum: 0, maximum: 1 }), 0.84),
})
