/** Levels of requests in flight: 0, 1, 2-3, 4-7 and so on; the last takes all above. */
const LEVELS = 12
/** A target's levels, and before them when it was last heard of. */
const ROW = LEVELS + 1
/** Part by which an answer moves the latency of its level. */
const STEP = 1 / 16

/**
 * What a target's answers have taken of late when it had about so many requests in flight: what a Prequal server would
 * answer to a probe, as the gateway sees it. The paper takes the median of recent latencies at that number, this an
 * average over time. It fades while no answer comes, so that a target which was slow once is tried again.
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

  /** @param decay time constant in milliseconds */
  constructor(decay: number) {
    this.#decay = decay
  }

  onTargets(from: Int32Array): void {
    const rows = new Float64Array(from.length * ROW)
    for (let i = 0; i < from.length; i++) {
      const before = (from[i] as number) * ROW
      if (before >= 0) rows.set(this.#rows.subarray(before, before + ROW), i * ROW)
    }
    this.#rows = rows
  }

  /**
   * @param usual milliseconds: where a target begins of which nothing is known. A single answer says little, and one
   *   that happened to take long would keep requests away for a while
   */
  observe(i: number, rif: number, latencyMs: number, now: number, usual: number): void {
    const known = this.#known(i, rif) || usual
    this.#rows[i * ROW + 1 + levelOf(rif)] = known + (latencyMs - known) * STEP
    this.#rows[i * ROW] = now
  }

  /** Milliseconds; 0 where nothing is known. A question: changes nothing. */
  estimate(i: number, rif: number, now: number): number {
    return this.#known(i, rif) * Math.exp(((this.#rows[i * ROW] as number) - now) / this.#decay)
  }

  #known(i: number, rif: number): number {
    const levels = this.#rows
    const first = i * ROW + 1
    const at = first + levelOf(rif)
    let latency = 0
    // Of levels that nothing is known of, the next lower one tells most.
    for (let level = at; level >= first && latency === 0; level--) latency = levels[level] as number
    for (let level = at + 1; level < first + LEVELS && latency === 0; level++)
      latency = levels[level] as number
    return latency
  }
}

function levelOf(rif: number): number {
  return Math.min(LEVELS - 1, 32 - Math.clz32(rif))
}
