import { knownFor, LEVELS, levelOf } from './levels.ts'

/** A target's levels, and before them when it was last heard of, or came: by the clock and by answers so far. */
const ROW = LEVELS + 2
const FIRST = 2
/** Answers for each target in which a latency fades to 1/e, if the time for it has passed as well. */
const ROUNDS = 16
/** Part by which an answer moves the latency of its level. */
const STEP = 1 / 16
/** Fading is slower at most by this, however little weight a target has: it comes back as well. */
const SLOWEST = 10

/**
 * What a target's answers have taken of late when it had about so many requests in flight: what a Prequal server would
 * answer to a probe, as the gateway sees it. The paper takes the median of recent latencies at that number, this an
 * average over time. It fades while no answer comes, so that a target which was slow once is tried again; and so does
 * what is supposed of one that was never heard of, or whoever was heard of first would look better than it for ever.
 * Fading takes time, and answers of others: with few requests for each target, what is known of it has to hold for long.
 * Where weights differ it goes by weight, or who is seldom asked would look fastest.
 *
 * The number is taken when an answer comes and not when its request was sent: over time both are distributed alike,
 * since requests come and go one by one (Burke; level crossing).
 *
 * O(1) (12 levels at most); O(N) when targets change.
 */
export class LatencyByRif {
  readonly #decay: number
  /** What belongs to a target lies side by side, so that reading it is one look at memory. */
  #rows = new Float64Array(0)
  #answers = 0

  /** @param decay time constant in milliseconds */
  constructor(decay: number) {
    this.#decay = decay
  }

  onTargets(from: Int32Array, now: number): void {
    const rows = new Float64Array(from.length * ROW)
    for (let i = 0; i < from.length; i++) {
      const before = (from[i] as number) * ROW
      if (before >= 0) rows.set(this.#rows.subarray(before, before + ROW), i * ROW)
      else rows.set([now, this.#answers], i * ROW)
    }
    this.#rows = rows
  }

  /**
   * @param usual milliseconds: where a target begins of which nothing is known. A single answer says little, and one
   *   that happened to take long would keep requests away for a while
   */
  observe(i: number, rif: number, latencyMs: number, now: number, usual: number): void {
    const known = this.#known(i, rif) || usual
    const row = i * ROW
    this.#rows[row + FIRST + levelOf(rif)] = known + (latencyMs - known) * STEP
    this.#rows[row] = now
    this.#rows[row + 1] = ++this.#answers
  }

  /**
   * Milliseconds. A question: changes nothing.
   * @param usual as above
   * @param perWeight mean weight / weight of this one
   */
  estimate(i: number, rif: number, now: number, usual: number, perWeight: number): number {
    const row = i * ROW
    const time = (now - (this.#rows[row] as number)) / this.#decay
    const answers = (this.#answers - (this.#rows[row + 1] as number)) / (this.#rows.length / ROW) / ROUNDS
    return (this.#known(i, rif) || usual) * Math.exp(-Math.min(time, answers) / Math.min(SLOWEST, perWeight))
  }

  #known(i: number, rif: number): number {
    return knownFor(this.#rows, i * ROW + FIRST, rif)
  }
}
