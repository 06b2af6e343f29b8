import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { Bounds, type BucketCounts } from '../recording/bounds.ts'

const BOUNDS = [1, 5, 10, 50, 100, 500, 1000]
const KINDS = {
  minor: constants.NODE_PERFORMANCE_GC_MINOR,
  major: constants.NODE_PERFORMANCE_GC_MAJOR,
  incremental: constants.NODE_PERFORMANCE_GC_INCREMENTAL,
  weakcb: constants.NODE_PERFORMANCE_GC_WEAKCB,
} as const

/** How long garbage collections have stopped the process, by their kind. */
export class Collections {
  readonly byKind: ReadonlyMap<string, BucketCounts>
  readonly #observer: PerformanceObserver

  constructor() {
    const bounds = new Bounds(BOUNDS)
    this.byKind = new Map(Object.keys(KINDS).map((kind) => [kind, bounds.histogram()]))
    const byNumber = new Map<number, BucketCounts>(
      Object.entries(KINDS).map(([kind, number]) => [number, this.byKind.get(kind) as BucketCounts]),
    )
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { detail?: { kind?: number } })[]) {
        byNumber.get(entry.detail?.kind ?? -1)?.add(entry.duration)
      }
    })
  }

  start(): void {
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  stop(): void {
    this.#observer.disconnect()
  }
}
