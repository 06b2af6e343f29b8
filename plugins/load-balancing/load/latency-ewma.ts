import type { Outcome } from '../../upstreams/contract.ts'
import { Failures } from './failures.ts'
import type { Load } from './load.ts'
import { carried } from './slots.ts'

/** Latency of a target that nothing is known of, in milliseconds, where nothing is known of the others either. */
const UNKNOWN = 10
/** The longest time constant, as a multiple of the one that is set: a target of next to no weight comes back as well. */
const SLOWEST = 10

/**
 * Latency, averaged over time with the weight e^(-t / decay), as Finagle's and Linkerd's (tower's) have it. It fades
 * while no answer comes, so that a target which was slow once is tried again; that is computed when it is read, and
 * not written: theirs decay by being read, so that the figure depends on how often somebody looked.
 *
 * Where weights differ it fades by weight, so that it stands for as many answers of each: by the clock alone, what is
 * known of a target that is seldom asked would have faded by then, and it would look fastest each time.
 *
 * A target that is new starts at the mean of those that answer, or at 10 ms, and its first answer replaces that.
 * A failure raises it to what `Failures` says. Of an abandoned attempt that was overtaken by another it is known that
 * it would have taken at least so long; one that was just abandoned says nothing.
 */
export class LatencyEwma {
  readonly failures = new Failures()
  readonly #decay: number
  readonly #peak: boolean
  #value = new Float64Array(0)
  #stamp = new Float64Array(0)
  #known = new Uint8Array(0)
  /** Milliseconds. */
  #decays = new Float64Array(0)

  /**
   * @param decay time constant in milliseconds, of a target of mean weight
   * @param peak whether a latency above the average becomes the average at once
   */
  constructor(decay: number, peak: boolean) {
    this.#decay = decay
    this.#peak = peak
  }

  /** @param perWeight mean weight / weight of the one with this number */
  onTargets(from: Int32Array, now: number, perWeight: (i: number) => number = () => 1): void {
    this.failures.onTargets(from)
    this.#decays = Float64Array.from(from, (_, i) => this.#decay * Math.min(SLOWEST, perWeight(i)))
    const value = carried(this.#value, from, -1)
    const known = carried(this.#known, from)
    const stamp = carried(this.#stamp, from, now)
    let sum = 0
    let count = 0
    for (let i = 0; i < from.length; i++) {
      // What failures were counted as is no latency that a new one could be expected to have.
      if (known[i] === 0 || this.failures.row(i) > 0) continue
      sum += value[i] as number
      count++
    }
    const mean = count === 0 ? UNKNOWN : sum / count
    for (let i = 0; i < from.length; i++) if (value[i] === -1) value[i] = mean
    this.#value = value
    this.#known = known
    this.#stamp = stamp
  }

  /** In milliseconds. A question: changes nothing. */
  at(i: number, now: number): number {
    return (
      (this.#value[i] as number) * Math.exp(((this.#stamp[i] as number) - now) / (this.#decays[i] as number))
    )
  }

  onOutcome(i: number, outcome: Outcome, now: number): void {
    if (outcome.kind === 'abandoned') {
      const { overtakenAfterMs } = outcome
      if (overtakenAfterMs !== undefined && overtakenAfterMs > this.at(i, now)) {
        this.#observe(i, overtakenAfterMs, now, this.#peak)
      }
      return
    }
    const counts = this.failures.record(i, outcome, now)
    this.#observe(i, counts, now, this.#peak || this.failures.row(i) > 0)
  }

  #observe(i: number, latencyMs: number, now: number, peak: boolean): void {
    const value = this.#value[i] as number
    if (this.#known[i] === 0) {
      this.#known[i] = 1
      this.#value[i] = latencyMs
    } else if (latencyMs >= value && peak) this.#value[i] = latencyMs
    else {
      const kept = Math.exp(((this.#stamp[i] as number) - now) / (this.#decays[i] as number))
      this.#value[i] = value * kept + latencyMs * (1 - kept)
    }
    this.#stamp[i] = now
  }
}

/** Latency alone. Requests under way are not looked at: with few requests at a time it is the nearest to the mark. */
export class EwmaLoad implements Load {
  readonly #latency: LatencyEwma
  readonly #now: () => number

  constructor(decay: number, now: () => number) {
    this.#latency = new LatencyEwma(decay, false)
    this.#now = now
  }

  onTargets(from: Int32Array, perWeight: (i: number) => number): void {
    this.#latency.onTargets(from, this.#now(), perWeight)
  }

  cost(i: number, _requests: number, now: number): number {
    return this.#latency.at(i, now)
  }

  onOutcome(i: number, outcome: Outcome, now: number): void {
    this.#latency.onOutcome(i, outcome, now)
  }
}
