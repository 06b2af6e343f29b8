interface Level {
  readonly ratio: number
  /** Monotonic milliseconds. */
  readonly since: number
}

/**
 * How well each tier is, with hysteresis: worse counts at once, better only after it has held for `holdMs`. So a
 * tier whose targets come and go does not toss the traffic to and fro.
 *
 * What counts is the least of the last `holdMs`. The first thing that is heard of a tier counts at once.
 */
export class FailBack {
  readonly #holdMs: number
  /** By tier: what may still be the least, oldest first, and so the least first. */
  readonly #levels: Level[][] = []

  constructor(holdMs: number) {
    this.#holdMs = holdMs
  }

  /** @returns the part of the tier's targets to reckon with, if `ratio` of them are usable now */
  held(tier: number, ratio: number, now: number): number {
    this.#levels[tier] ??= []
    const levels = this.#levels[tier] as Level[]
    while (levels.length > 0 && (levels.at(-1) as Level).ratio > ratio) levels.pop()
    if (levels.at(-1)?.ratio !== ratio) levels.push({ ratio, since: now })
    // The first ends where the second begins; once that is long enough ago it counts no more.
    while (levels.length > 1 && (levels[1] as Level).since + this.#holdMs <= now) levels.shift()
    return (levels[0] as Level).ratio
  }

  /** Monotonic milliseconds at which a tier will count for more if nothing happens; Infinity is never. */
  get due(): number {
    const times = this.#levels.flatMap((levels) => (levels?.[1] === undefined ? [] : [levels[1].since]))
    return Math.min(Number.POSITIVE_INFINITY, ...times) + this.#holdMs
  }
}
