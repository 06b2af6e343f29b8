/**
 * How far the success of a target is to be doubted. A target that fails at once is always idle, so that a balancer
 * which looks for idle ones would send it everything; and one that fails every other time shows no run of failures.
 */

/** What one request weighs: about the last 16 count, so that two failures in a row are seen and one is forgiven. */
const WEIGHT = 1 / 16
/**
 * Silence halves the doubt in this time. Short, since a doubted target is sent little and would otherwise have to
 * earn its way back on a twentieth of its traffic; it may be short since the next failure takes it all back.
 */
const HALF_LIFE_MS = 5000
/** Doubt below this is none: what was long ago does not count any more. */
const FORGOTTEN = 0.01
/** From here on a target is as good as the best. */
const GOOD = 0.9
/** Shares are told in steps of a twentieth. One step is the least: some traffic has to show when it is well again. */
export const STEPS = 20
/** How long a target without a sample is one that others are measured against. */
const ACTIVE_MS = 10_000

export class Doubt {
  /** Success per request, a moving average, when the last sample came. */
  ratio = 1
  /** The share as told to the registry, in steps. */
  step = STEPS
  #at = 0
  #samples = 0
  #known = 0
  #heardAt = Number.NEGATIVE_INFINITY

  /** @param now asked only if there is a doubt: a target that is well costs no look at the clock */
  success(now: () => number): void {
    this.#samples++
    if (this.ratio === 1) return
    const time = now()
    const ratio = this.ratioAt(time)
    this.ratio = ratio + (1 - ratio) * WEIGHT
    if (1 - this.ratio < FORGOTTEN) this.ratio = 1
    this.#at = time
  }

  /** Takes back what silence gave: that was the benefit of the doubt. */
  failure(now: number): void {
    this.#samples++
    if (this.ratioAt(now) === 1) this.ratio = 1
    this.ratio *= 1 - WEIGHT
    this.#at = now
  }

  /** The ratio with what silence since the last sample gives. */
  ratioAt(now: number): number {
    if (this.ratio === 1) return 1
    const doubt = (1 - this.ratio) * 2 ** ((this.#at - now) / HALF_LIFE_MS)
    return doubt < FORGOTTEN ? 1 : 1 - doubt
  }

  /** Whether it has had traffic lately; exact to the time between two calls. */
  active(now: number): boolean {
    if (this.#samples !== this.#known) {
      this.#known = this.#samples
      this.#heardAt = now
    }
    return now - this.#heardAt <= ACTIVE_MS
  }
}

/**
 * By how much less than the best a ratio has to be to mean something: three standard deviations of the difference of two
 * such averages (an average of weight w has w / (2 - w) of the variance p(1 - p) of one sample). Where all targets fail
 * half of their requests, one or the other has always been luckier.
 */
export function noise(best: number): number {
  return 3 * Math.sqrt((2 * best * (1 - best) * WEIGHT) / (2 - WEIGHT))
}

/**
 * Share in steps: the cube of the ratio relative to the best of its tier. The cube, since in a tier that is balanced by
 * requests under way even a share in proportion leaves a fast failure more than the others.
 */
export function shareStep(ratio: number, best: number): number {
  if (ratio >= GOOD * best || best - ratio <= noise(best)) return STEPS
  return Math.max(1, Math.round((ratio / best) ** 3 * STEPS))
}
