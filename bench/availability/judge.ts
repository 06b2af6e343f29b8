import type { Sample } from './load.ts'

export interface Quantiles {
  /** All in ms, of requests that were answered; NaN if none was. */
  p50: number
  p99: number
  p999: number
}

/** What clients noticed of one fault behind one gateway. */
export interface Figures extends Quantiles {
  requests: number
  failedGets: number
  failedPosts: number
  /** POSTs that the targets executed more than once. */
  twice: number
  /** POSTs that were answered well and never executed: there must be none. */
  lost: number
  /** The longest that any request took, failed ones included (ms). */
  longest: number
  /** From the end of the fault to the start of the last request that failed or was slow (ms); 0 if there is none. */
  calmAfter: number
  /** How many requests failed for which reason. */
  reasons: Record<string, number>
  /** The load generator's own delay at its worst (ms). */
  late: number
}

/** What was seen of one fault; times in ms of the same clock as those of the samples. */
export interface Seen {
  samples: readonly Sample[]
  faultEnd: number
  executions: ReadonlyMap<string, number>
  /** A request that takes longer than this (ms) is slow. */
  slowAbove: number
}

/** How much slower than the calm p99.9 a request may be before it counts as disturbed. */
export const slowFactor = 3

/** The smallest value that is not below the share `q` of the values (nearest rank). */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length - 1e-9) - 1)] ?? Number.NaN
}

export function quantiles(samples: readonly Sample[]): Quantiles {
  const sorted = samples
    .filter(({ failure }) => failure === undefined)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b)
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), p999: quantile(sorted, 0.999) }
}

export function judge({ samples, faultEnd, executions, slowAbove }: Seen): Figures {
  const failed = samples.filter(({ failure }) => failure !== undefined)
  const posts = samples.filter(({ kind }) => kind === 'orders')
  const times = (id: string) => executions.get(id) ?? 0
  const reasons: Record<string, number> = {}
  for (const { failure = '' } of failed) reasons[failure] = (reasons[failure] ?? 0) + 1
  const disturbed = samples.filter(({ failure, ms }) => failure !== undefined || ms > slowAbove)
  return {
    requests: samples.length,
    failedGets: failed.filter(({ kind }) => kind !== 'orders').length,
    failedPosts: failed.filter(({ kind }) => kind === 'orders').length,
    twice: posts.filter(({ id }) => times(id) > 1).length,
    lost: posts.filter(({ id, failure }) => failure === undefined && times(id) === 0).length,
    ...quantiles(samples),
    longest: most(samples.map(({ ms }) => ms)),
    calmAfter: most(disturbed.map(({ at }) => at - faultEnd)),
    reasons,
    late: most(samples.map(({ late }) => late)),
  }
}

/** The largest, and 0 at least. */
function most(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), 0)
}
