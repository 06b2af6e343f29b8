import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** Length of a part of the window in milliseconds, and how many there are besides the present one. */
const PART_MS = 10_000
const PARTS = 5
const RESOLUTION_MS = 10

/** Seconds. */
export interface LoopDelay {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** How late the event loop is. Its peaks are kept for a minute, so that no scrape misses one, nor takes it from another. */
export class EventLoop {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #parts: LoopDelay[] = []
  #timer: NodeJS.Timeout | undefined
  #before = performance.eventLoopUtilization()
  #utilization = 0

  start(): void {
    this.#delay.enable()
    this.#timer = setInterval(() => this.#turn(), PART_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#delay.disable()
  }

  /** The worst of the parts of the last minute. */
  get delay(): LoopDelay {
    const parts = [...this.#parts, this.#present()]
    const worst = (of: (part: LoopDelay) => number): number => Math.max(...parts.map(of))
    return { p50: worst(({ p50 }) => p50), p99: worst(({ p99 }) => p99), max: worst(({ max }) => max) }
  }

  /** Part of the time that it was busy, over the last whole part of the window. */
  get utilization(): number {
    return this.#parts.length === 0
      ? performance.eventLoopUtilization(this.#before).utilization
      : this.#utilization
  }

  #present(): LoopDelay {
    // Its timer's own period counts as delay; without a sample its percentiles say nothing.
    const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000)
    if (this.#delay.count === 0) return { p50: 0, p99: 0, max: 0 }
    return {
      p50: seconds(this.#delay.percentile(50)),
      p99: seconds(this.#delay.percentile(99)),
      max: seconds(this.#delay.max),
    }
  }

  #turn(): void {
    this.#parts = [...this.#parts.slice(1 - PARTS), this.#present()]
    this.#delay.reset()
    const now = performance.eventLoopUtilization()
    this.#utilization = performance.eventLoopUtilization(now, this.#before).utilization
    this.#before = now
  }
}
