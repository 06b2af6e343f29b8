import { rounded } from '../config/rounded.ts'
import { LatencyHistogram } from '../upstreams/latency-histogram.ts'
import type { SlidingLatencies } from '../upstreams/latency-window.ts'
import { ROUTE_SCALE } from './recording/route-series.ts'
import { TARGET_SCALE } from './recording/target-series.ts'
import type { WindowStats, Windows } from './stats.ts'

const WINDOWS = { '1m': 60_000, '5m': 300_000 } as const

/** Sums up windows, with histograms that are used again and again. */
export class Summary {
  readonly #histograms = {
    routes: new LatencyHistogram(ROUTE_SCALE),
    targets: new LatencyHistogram(TARGET_SCALE),
  }
  readonly #now: number

  constructor(now: number) {
    this.#now = now
  }

  of(kind: 'routes' | 'targets', recent: readonly SlidingLatencies[]): Windows {
    const histogram = this.#histograms[kind]
    const window = (windowMs: number): WindowStats => {
      histogram.clear()
      let count = 0
      let failed = 0
      let forMs = 1
      for (const one of recent) {
        const sum = one.sum(windowMs, this.#now, histogram)
        count += sum.count
        failed += sum.failed
        forMs = Math.max(forMs, sum.forMs)
      }
      const quantile = (q: number) => (count === 0 ? null : rounded(histogram.quantile(q)))
      return {
        seconds: rounded(forMs / 1000),
        count,
        rate: rounded((1000 * count) / forMs),
        errorRatio: count === 0 ? null : failed / count,
        p50Ms: quantile(0.5),
        p95Ms: quantile(0.95),
        p99Ms: quantile(0.99),
      }
    }
    return { '1m': window(WINDOWS['1m']), '5m': window(WINDOWS['5m']) }
  }
}
