interface Level {
  readonly ratio: number
  /** Monotonic milliseconds. */
  readonly since: number
}

/**
 * How well each tier is, with hysteresis: worse counts at once, better only after it has held for `holdMs`. So a
 * tier whose targets come and go does not toss the traffic to and fro.
 *
 * What counts is the least of the last `holdMs`. The first thing that is heard of a tier counts at once; a tier that
 * has lost its last member is forgotten.
 */
export class FailBack {
  readonly #holdMs: number
  /** By tier: what may still be the least, oldest first, and so the least first. */
  #levels: readonly Level[][] = []

  constructor(holdMs: number) {
    this.#holdMs = holdMs
  }

  /**
   * @param ratios the part of each tier's members that is usable now; undefined where it has none
   * @returns the parts to reckon with; 0 where it has none
   */
  held(ratios: readonly (number | undefined)[], now: number): number[] {
    this.#levels = ratios.map((ratio, tier) => {
      if (ratio === undefined) return []
      const levels = this.#levels[tier] ?? []
      while (levels.length > 0 && (levels.at(-1) as Level).ratio > ratio) levels.pop()
      if (levels.at(-1)?.ratio !== ratio) levels.push({ ratio, since: now })
      // The first ends where the second begins; once that is long enough ago it counts no more.
      while (levels.length > 1 && (levels[1] as Level).since + this.#holdMs <= now) levels.shift()
      return levels
    })
    return this.#levels.map(([least]) => least?.ratio ?? 0)
  }

  /** Monotonic milliseconds at which a tier will count for more if nothing happens; Infinity is never. */
  get due(): number {
    const times = this.#levels.flatMap(([, next]) => (next === undefined ? [] : [next.since]))
    return Math.min(Number.POSITIVE_INFINITY, ...times) + this.#holdMs
  }
}
