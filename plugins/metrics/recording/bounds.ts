/** Bounds of a histogram at most: each is a series of every route and upstream, and of targets if they are shown so. */
export const MOST_BOUNDS = 50

/** Counts of durations in buckets with fixed upper bounds, as Prometheus has them: each holds what is up to its bound. */
export class BucketCounts {
  readonly bounds: Bounds
  /** One more than there are bounds: the last holds what is above them all. */
  counts: Float64Array
  sumMs = 0

  constructor(bounds: Bounds) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.ms.length + 1)
  }

  /** Returns the number of the bucket. */
  add(milliseconds: number): number {
    const { ms } = this.bounds
    let i = 0
    while (i < ms.length && milliseconds > (ms[i] as number)) i++
    this.counts[i] = (this.counts[i] as number) + 1
    this.sumMs += milliseconds
    return i
  }

  get total(): number {
    let total = 0
    for (const count of this.counts) total += count
    return total
  }

  /** How many were longer. Exact at a bound; between two it is reckoned as if they lay evenly, as Prometheus does. */
  above(milliseconds: number): number {
    const { ms } = this.bounds
    let above = 0
    for (let i = this.counts.length - 1; i >= 0; i--) {
      const lower = i === 0 ? 0 : (ms[i - 1] as number)
      const count = this.counts[i] as number
      if (milliseconds <= lower) {
        above += count
        continue
      }
      // What is above all bounds may be of any length.
      if (i === ms.length) return 0
      const upper = ms[i] as number
      return milliseconds >= upper ? above : above + (count * (upper - milliseconds)) / (upper - lower)
    }
    return above
  }
}

/** The upper bounds that several histograms share. */
export class Bounds {
  ms: Float64Array
  /** The same in seconds, as labels have them. */
  le: readonly string[]
  readonly #histograms = new Set<BucketCounts>()

  /** @param milliseconds in any order */
  constructor(milliseconds: readonly number[]) {
    this.ms = sorted(milliseconds)
    this.le = Array.from(this.ms, label)
  }

  histogram(): BucketCounts {
    const histogram = new BucketCounts(this)
    this.#histograms.add(histogram)
    return histogram
  }

  /** The histogram's bounds need not be kept in step any more. */
  forget(histogram: BucketCounts): void {
    this.#histograms.delete(histogram)
  }

  /**
   * Adds a bound. Throws if something has been counted, since what is in a bucket cannot be told apart any more, and if
   * there are enough of them.
   */
  include(milliseconds: number): void {
    if (!(milliseconds > 0 && Number.isFinite(milliseconds)))
      throw new RangeError(`a threshold must be above 0 ms, is ${milliseconds}`)
    if (this.ms.includes(milliseconds)) return
    if (this.ms.length >= MOST_BOUNDS)
      throw new Error(
        `the threshold of ${milliseconds} ms is one too many: a histogram has ${MOST_BOUNDS} bounds at most, and each is a series of every route and upstream; give alert rules the same thresholds, or take bounds out of metrics.buckets`,
      )
    if ([...this.#histograms].some(({ total }) => total > 0))
      throw new Error(
        `the threshold of ${milliseconds} ms comes too late: requests have been counted; name it before the server is ready`,
      )
    this.ms = sorted([...this.ms, milliseconds])
    this.le = Array.from(this.ms, label)
    for (const histogram of this.#histograms) histogram.counts = new Float64Array(this.ms.length + 1)
  }
}

function sorted(milliseconds: readonly number[]): Float64Array {
  return Float64Array.from(new Set(milliseconds)).sort()
}

/** In the one form that OpenMetrics allows, so that a series is the same in both formats. */
function label(milliseconds: number): string {
  const seconds = milliseconds / 1000
  return Number.isInteger(seconds) ? `${seconds}.0` : String(seconds)
}
