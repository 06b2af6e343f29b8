import {
  custom,
  decimal,
  duration,
  nonEmptyList,
  object,
  optional,
  text,
  withDefault,
} from '../../config/kit.ts'
import type { Resolved } from '../../config/typed.ts'
import { refuseCount, refuseObjective, refuseTrue } from './refuse.ts'

const share = (of: string) =>
  decimal({ minimum: 0, maximum: 0.9999, remedy: `write a share of the ${of}: 0.05 is 5 %` })
const isTrue = custom<true>(refuseTrue, { remedy: 'write true, or take it out' })

const burnWindow = object({
  /** How far back the budget's spending is looked at. */
  long: duration({ minimum: 1, maximum: '30d' }),
  /** The end of it: the alert ends soon after the trouble does. */
  short: duration({ minimum: 1, maximum: '30d' }),
  /** So many times faster than would just use up the budget. */
  factor: decimal({ minimum: 0.01 }),
  /** Default: that of the rule. */
  severity: optional(text({ minLength: 1 })),
})

type BurnWindow = Resolved<typeof burnWindow>

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const WORKBOOK: readonly BurnWindow[] = [
  { long: HOUR, short: 5 * MINUTE, factor: 14.4, severity: 'critical' },
  { long: 6 * HOUR, short: 30 * MINUTE, factor: 6, severity: 'critical' },
  { long: 72 * HOUR, short: 6 * HOUR, factor: 1, severity: 'warning' },
]

/** How fast an error budget is spent when all requests fail. */
export const mostOf = (objective: number): number => 1 / (1 - objective)

export function burnWindowsOf({
  objective,
  windows,
}: {
  objective: number
  windows?: readonly BurnWindow[]
}): readonly BurnWindow[] {
  return windows ?? WORKBOOK.filter(({ factor }) => factor < mostOf(objective))
}

/** What a rule looks for: one of these. */
export const conditions = {
  /** The quantile of the durations is above a limit, which is: more than 1 - quantile of the requests took longer. */
  latency: optional(
    object({
      /** Default 0.99. */
      quantile: withDefault(decimal({ minimum: 0.01, maximum: 0.99999, remedy: 'write p99 as 0.99' }), 0.99),
      above: duration({ minimum: 1 }),
      /** An alert that fires ends when the quantile is no longer above this. Default: `above`. */
      resolveBelow: optional(duration({ minimum: 1 })),
    }),
  ),
  /** Requests per second. Not known until the gateway has run for as long as the window is. */
  throughput: optional(
    object({
      above: optional(decimal({ minimum: 0 })),
      below: optional(decimal({ minimum: 0 })),
      /** With `above`: an alert that fires ends when the rate is no longer above this. Default: `above`. */
      resolveBelow: optional(decimal({ minimum: 0 })),
      /** With `below`: an alert that fires ends when the rate is no longer below this. Default: `below`. */
      resolveAbove: optional(decimal({ minimum: 0 })),
    }),
  ),
  /** Requests that were answered with 5xx, or with nothing or not all though the client was there; as a share. */
  errorRate: optional(object({ above: share('requests'), resolveBelow: optional(share('requests')) })),
  /** Requests that a rate limit refused, as a share. Of a route or of all. */
  rateLimited: optional(object({ above: share('requests'), resolveBelow: optional(share('requests')) })),
  /**
   * How fast the error budget is spent, over a long and a short window each (Google, The Site Reliability Workbook,
   * chapter 5, "Multiwindow, Multi-Burn-Rate Alerts").
   */
  burnRate: optional(
    object({
      /** Share of the requests that have to be good: 0.999. */
      objective: custom<number>(refuseObjective, { remedy: 'write a share between 0 and 1, such as 0.999' }),
      /** A request that takes longer than this is not good. Default: one that is an error is not. */
      slowerThan: optional(duration({ minimum: 1 })),
      /**
       * Default, as the workbook has it: 1h and 5m at 14.4 and 6h and 30m at 6, both critical; 3d and 6h at 1, a
       * warning. Of them those that the objective leaves room for: with 0.9 all requests failing is no more than 10.
       */
      windows: optional(nonEmptyList(burnWindow, { noun: 'pair of windows' })),
    }),
  ),
  /** Targets that a request could get. In panic these are unhealthy ones too: see `panic`. */
  targets: optional(
    object({
      /** Fewer than this: a number of targets, or `'50%'` of those in the tiers in use and in the tiers before them. */
      eligibleBelow: custom<number | `${number}%`>(refuseCount, {
        remedy: 'write a number of targets such as 2, or a share of them such as "50%"',
      }),
    }),
  ),
  /** Any circuit breaker is open. */
  breakerOpen: optional(isTrue),
  /** Attempts under way, as a share of those that the targets may have (`limits`: connections and queue). */
  saturation: optional(
    object({ inflightAbove: share('capacity'), resolveBelow: optional(share('capacity')) }),
  ),
  /** A certificate that the gateway shows runs out: to clients, or to targets that ask for one. */
  certificateExpiry: optional(object({ within: duration({ minimum: '1m', maximum: '3650d' }) })),
  /** So few targets are left that health is set aside (`panicThreshold`). */
  panic: optional(isTrue),
}

export type ConditionName = keyof typeof conditions
export const CONDITIONS = Object.keys(conditions) as readonly ConditionName[]

export type Conditions = { readonly [K in ConditionName]?: Resolved<(typeof conditions)[K]> }
