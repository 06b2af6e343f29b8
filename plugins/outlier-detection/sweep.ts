import type { Member, Tier } from './member.ts'
import { failurePercentageOutliers, latencyOutliers, successRateOutliers } from './statistics.ts'

/** A target that something is wrong with. */
export interface Finding {
  readonly member: Member
  /** In a row it failed, or was silent; or it compares badly with the others, which is no news of this moment. */
  readonly kind: 'failing' | 'silent' | 'outlier'
  readonly why: string
  /** Whether it is ejected, or only spoken of. */
  readonly enforce: boolean
  /** A success proves something if it took less (milliseconds). */
  readonly quickMs: number
}

const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)} %`
const milliseconds = (ms: number): string => `${ms < 10 ? ms.toPrecision(2) : Math.round(ms)} ms`

/** What the requests of the interval show about the targets of a tier. Those that are out are neither judged nor compared with. */
export function findings({ members, group: { options } }: Tier): Finding[] {
  const { successRate, failurePercentage, latency } = options
  const judged = [...members].filter((member) => member.in)
  const found = [
    ...failurePercentageOutliers(judged, failurePercentage).map(({ one, ratio, requests }) => ({
      member: one,
      kind: 'outlier' as const,
      why: `${percent(ratio)} of ${requests} requests failed`,
      enforce: failurePercentage.enforce,
      quickMs: Number.POSITIVE_INFINITY,
    })),
    ...successRateOutliers(judged, successRate).map(({ one, rate, mean }) => ({
      member: one,
      kind: 'outlier' as const,
      why: `success rate ${percent(rate)} against a mean of ${percent(mean)}`,
      enforce: successRate.enforce,
      quickMs: Number.POSITIVE_INFINITY,
    })),
    ...latencyOutliers(judged, latency).map(({ one, median, others, limit }) => ({
      member: one,
      kind: 'outlier' as const,
      why: `latency ${milliseconds(median)} against ${milliseconds(others)}`,
      enforce: latency.enforce,
      quickMs: limit,
    })),
  ]
  // What is enforced comes first: once a target is ejected there is nothing left to say of it.
  return [...found.filter(({ enforce }) => enforce), ...found.filter(({ enforce }) => !enforce)]
}
