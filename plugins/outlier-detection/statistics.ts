/** Which of several targets stand out. Each function returns the worst one first. */

/** What came of the requests of one target in an interval. */
export interface Tally {
  readonly successes: number
  readonly failures: number
}

export interface Latencies {
  readonly latencies: { readonly count: number; quantile(q: number): number }
}

export interface SuccessRateOptions {
  /** Standard deviations below the mean. */
  readonly factor: number
  /** Difference to the mean, 0..1, that an outlier has at least. */
  readonly minDifference: number
  readonly minTargets: number
  readonly minRequests: number
}

export interface FailurePercentageOptions {
  /** 0..1 */
  readonly threshold: number
  readonly minTargets: number
  readonly minRequests: number
}

export interface LatencyOptions {
  readonly factor: number
  /** Milliseconds. */
  readonly minDifference: number
  readonly minTargets: number
  readonly minRequests: number
}

/** A crumb of rounding: rates that are all the same must not fall below their own mean. */
const CRUMB = 1e-9

const requestsOf = ({ successes, failures }: Tally): number => successes + failures
const withEnough = <T extends Tally>(all: readonly T[], least: number): readonly T[] =>
  all.filter((one) => requestsOf(one) >= least)

/** Mean and standard deviation of a whole population. */
export function spread(values: readonly number[]): { mean: number; sigma: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  return { mean, sigma: Math.sqrt(variance) }
}

/**
 * Envoy's success rate outliers: below mean - factor x sigma. Departure: the difference must come to something as
 * well. Where all others are perfect sigma is next to nothing, and one failure in a thousand would be enough.
 */
export function successRateOutliers<T extends Tally>(
  all: readonly T[],
  { factor, minDifference, minTargets, minRequests }: SuccessRateOptions,
): { readonly one: T; readonly rate: number; readonly mean: number }[] {
  const judged = withEnough(all, minRequests)
  if (judged.length < minTargets) return []
  const rates = judged.map((one) => one.successes / requestsOf(one))
  const { mean, sigma } = spread(rates)
  const below = Math.min(mean - factor * sigma, mean - minDifference) - CRUMB
  return judged
    .map((one, i) => ({ one, rate: rates[i] as number, mean }))
    .filter(({ rate }) => rate < below)
    .toSorted((a, b) => a.rate - b.rate)
}

/**
 * Envoy's failure percentage: at or above the threshold. Departure: not where all are. Then it is the requests, or
 * something behind all of them, and whoever is left would only have more to do.
 */
export function failurePercentageOutliers<T extends Tally>(
  all: readonly T[],
  { threshold, minTargets, minRequests }: FailurePercentageOptions,
): { readonly one: T; readonly ratio: number; readonly requests: number }[] {
  const judged = withEnough(all, minRequests)
  if (judged.length < minTargets) return []
  const found = judged
    .map((one) => ({ one, ratio: one.failures / requestsOf(one), requests: requestsOf(one) }))
    .filter(({ ratio }) => ratio >= threshold - CRUMB)
  if (found.length > 1 && found.length === judged.length) return []
  return found.toSorted((a, b) => b.ratio - a.ratio)
}

/** The median of `sorted` without the one at `index`. */
export function medianOfOthers(sorted: readonly number[], index: number): number {
  const others = sorted.length - 1
  const at = (rank: number): number => sorted[rank < index ? rank : rank + 1] as number
  const upper = others >> 1
  return others % 2 === 1 ? at(upper) : (at(upper - 1) + at(upper)) / 2
}

/**
 * Targets whose median latency is above `factor` times the median of the others' medians, and by `minDifference` at
 * least. `limit` is the latency that they should have been below.
 */
export function latencyOutliers<T extends Latencies>(
  all: readonly T[],
  { factor, minDifference, minTargets, minRequests }: LatencyOptions,
): { readonly one: T; readonly median: number; readonly others: number; readonly limit: number }[] {
  const judged = all.filter(({ latencies }) => latencies.count >= minRequests)
  if (judged.length < Math.max(2, minTargets)) return []
  const ranked = judged
    .map((one) => ({ one, median: one.latencies.quantile(0.5) }))
    .toSorted((a, b) => a.median - b.median)
  const medians = ranked.map(({ median }) => median)
  return ranked
    .map(({ one, median }, i) => {
      const others = medianOfOthers(medians, i)
      return { one, median, others, limit: Math.max(factor * others, others + minDifference) }
    })
    .filter(({ median, limit }) => median > limit)
    .toReversed()
}
