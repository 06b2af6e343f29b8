export type Fault = 'timeouts' | 'failures' | 'refusals'

/** What a run came to. Times are milliseconds. */
export interface Figures {
  /** Requests measured. */
  readonly requests: number
  /** How long clients waited: for an answer, or until the deadline. What failed at once is not in it. Sorted. */
  readonly latencies: Float64Array
  readonly mean: number
  /** Of the mean: from the means of 20 stretches of the run (batch means), since one request's wait is the next one's. */
  readonly standardError: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** Timeouts: past the deadline. Failures: a 500, a refused or lost connection. Refusals: no target had room. */
  readonly errors: Readonly<Record<Fault, number>>
  /** Part of the measured requests (0..1). */
  readonly errorShare: number
  /** Part of the time that the servers of a target worked, mean over the targets. */
  readonly utilisation: number
  /** The busiest target's utilisation, as a multiple of the mean. */
  readonly imbalance: number
  /** Coefficient of variation of the targets' utilisation. */
  readonly variation: number
  /** Little's law over the whole run: requests in the system, requests a millisecond, milliseconds in the system. */
  readonly little: { readonly l: number; readonly lambda: number; readonly w: number }
  /** Key found in the target's cache (0..1); undefined without caches. */
  readonly hits: number | undefined
  readonly virtualMs: number
}

/** The value that a share `q` of the sorted values does not exceed: nearest rank. */
export function quantile(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return Number.NaN
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!
}

export function meanOf(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

/** Standard error of the mean of values that depend on those just before them, by 20 batch means. */
export function standardErrorOf(values: Float64Array): number {
  const batches = 20
  const size = Math.floor(values.length / batches)
  if (size === 0) return Number.NaN
  const means = Float64Array.from({ length: batches }, (_, i) =>
    meanOf(values.subarray(i * size, (i + 1) * size)),
  )
  const mean = meanOf(means)
  const sum = means.reduce((total, value) => total + (value - mean) ** 2, 0)
  return Math.sqrt(sum / (batches - 1) / batches)
}

/** Mean, largest as a multiple of it, and coefficient of variation. */
export function evenness(values: Float64Array): Pick<Figures, 'utilisation' | 'imbalance' | 'variation'> {
  const mean = meanOf(values)
  const deviation = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)))
  const most = values.reduce((a, b) => Math.max(a, b), 0)
  return { utilisation: mean, imbalance: most / mean, variation: deviation / mean }
}
