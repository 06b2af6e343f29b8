/** With fewer targets there is little to build, and seldom news. */
const MANY = 100
/** What building takes less than is done whenever there is news (ms). */
const QUICK_MS = 0.5
/** So many times as long as it took there is none: a tenth of the time goes into building, at most. */
const REST = 9

/**
 * How long a snapshot is kept although something has changed. With thousands of targets and a policy that builds
 * tables something changes for nearly every request, and a build for each would be all that we did.
 */
export class Rest {
  #tookMs = 0
  #until = Number.NEGATIVE_INFINITY

  /** Monotonic milliseconds; -Infinity where building is quick. */
  get until(): number {
    return this.#until
  }

  /** @param began @param ended of a build of so many targets, in monotonic milliseconds */
  built(began: number, ended: number, targets: number): void {
    // The lesser of two: a pause of the process, which has nothing to do with it, strikes one.
    const usual = Math.min(this.#tookMs, ended - began)
    this.#tookMs = ended - began
    this.#until = targets < MANY || usual < QUICK_MS ? Number.NEGATIVE_INFINITY : ended + REST * usual
  }
}
