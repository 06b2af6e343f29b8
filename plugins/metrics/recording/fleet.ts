import type { Target } from '../../upstreams/contract.ts'
import type { TargetChange } from '../../upstreams/events.ts'
import type { Bounds } from './bounds.ts'
import { TargetSeries } from './target-series.ts'

/** So long after its removal a target is still shown: there may be more than one who scrapes. In milliseconds. */
const SHOWN_MS = 60_000
/** How long its numbers are kept for a scrape that does not come, in milliseconds. */
const KEPT_MS = 300_000
/** How many of them at most. */
const MOST_GONE = 1000

/**
 * The series of all targets. Those of a removed one go with the first whole scrape that begins a minute after it, or
 * after five minutes.
 */
export class Fleet {
  readonly #series = new Map<Target, TargetSeries>()
  /** Of targets that were removed, by upstream and origin, in the order in which they went. */
  readonly #gone = new Map<string, TargetSeries>()
  readonly #durations: Bounds | undefined
  readonly #now: () => number

  /** @param durations bounds of the histograms of each target; undefined where they have none */
  constructor(durations: Bounds | undefined, now: () => number) {
    this.#durations = durations
    this.#now = now
  }

  of(target: Target): TargetSeries | undefined {
    return this.#series.get(target)
  }

  changed({ kind, target }: TargetChange): void {
    if (kind === 'added') this.follow(target)
    else if (kind === 'removed') this.#leave(target)
  }

  follow(target: Target): void {
    if (this.#series.has(target)) return
    const key = keyOf(target)
    // One of this origin was there a moment ago: a second series of the same labels would break the scrape.
    const before = this.#gone.get(key)
    this.#gone.delete(key)
    const series = before ?? new TargetSeries(target, this.#durations)
    series.target = target
    series.goneAt = undefined
    this.#series.set(target, series)
  }

  /** All that are to be shown, as they are now. */
  list(): TargetSeries[] {
    this.#forgetBefore(this.#now() - KEPT_MS)
    return [...this.#series.values(), ...this.#gone.values()]
  }

  /** A scrape that began at this time has come to its end. */
  scraped(beganAt: number): void {
    this.#forgetBefore(beganAt - SHOWN_MS)
  }

  #leave(target: Target): void {
    const series = this.#series.get(target)
    if (series === undefined) return
    this.#series.delete(target)
    series.goneAt = this.#now()
    this.#gone.set(keyOf(target), series)
    this.#forgetBefore(series.goneAt - KEPT_MS)
  }

  #forgetBefore(time: number): void {
    for (const [key, series] of this.#gone) {
      if ((series.goneAt as number) >= time && this.#gone.size <= MOST_GONE) return
      this.#gone.delete(key)
      series.forgotten = true
      if (series.latency !== undefined) this.#durations?.forget(series.latency)
    }
  }
}

function keyOf({ upstream, origin }: Target): string {
  return `${upstream} ${origin}`
}
