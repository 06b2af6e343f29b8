import { grow, type LatencyHistogram, type LatencyScale } from './latency-histogram.ts'

const NONE = new Uint32Array(0)

export interface WindowOptions {
  readonly scale: LatencyScale
  /** Milliseconds of one part: the window moves on in steps of it. */
  readonly partMs: number
  /** How many parts are kept, with the one that time is in. */
  readonly parts: number
}

/** What a window holds. */
export interface WindowSum {
  /** Milliseconds that were looked at; above 0. */
  readonly forMs: number
  readonly count: number
  /** Those that were said to have failed. */
  readonly failed: number
}

/**
 * Latencies of the last while, in parts: each is a histogram, the oldest is begun anew when time moves on. A sample
 * costs no memory. `parts` x buckets x 4 bytes, allocated with the first sample, for the buckets between the shortest
 * and the longest latency seen. A clock that jumps back adds to the present part; one that jumps ahead forgets.
 */
export class SlidingLatencies {
  readonly #options: WindowOptions
  readonly #counts: Uint32Array
  readonly #failed: Uint32Array
  #buckets: Uint32Array<ArrayBuffer> = NONE
  #from = 0
  /** Number of the part that time is in, since the clock's zero. */
  #part: number
  readonly #since: number

  /** @param now monotonic milliseconds */
  constructor(options: WindowOptions, now: number) {
    this.#options = options
    this.#counts = new Uint32Array(options.parts)
    this.#failed = new Uint32Array(options.parts)
    this.#part = Math.floor(now / options.partMs)
    this.#since = now
  }

  /** Bytes that the counts take. */
  get bytes(): number {
    return this.#buckets.byteLength + this.#counts.byteLength + this.#failed.byteLength
  }

  add(milliseconds: number, now: number, failed = false): void {
    const row = this.#turn(now) % this.#options.parts
    const index = this.#options.scale.indexOf(milliseconds)
    const { parts } = this.#options
    let width = this.#buckets.length / parts
    if (index < this.#from || index >= this.#from + width) {
      const grown = grow(this.#options.scale, this.#buckets, this.#from, index, parts)
      this.#buckets = grown.buckets
      this.#from = grown.from
      width = this.#buckets.length / parts
    }
    const at = row * width + index - this.#from
    this.#buckets[at] = (this.#buckets[at] as number) + 1
    this.#counts[row] = (this.#counts[row] as number) + 1
    if (failed) this.#failed[row] = (this.#failed[row] as number) + 1
  }

  /**
   * Adds up what came in the last `windowMs`: the present part and as many whole ones before it.
   * @param into is given the latencies
   */
  sum(windowMs: number, now: number, into?: LatencyHistogram): WindowSum {
    const { parts, partMs } = this.#options
    const present = this.#turn(now)
    const before = Math.min(parts - 1, Math.ceil(windowMs / partMs))
    const width = this.#buckets.length / parts
    let count = 0
    let failed = 0
    for (let part = present; part >= present - before && part >= 0; part--) {
      const row = part % parts
      const counted = this.#counts[row] as number
      count += counted
      failed += this.#failed[row] as number
      for (let i = 0; into !== undefined && counted > 0 && i < width; i++) {
        const bucket = this.#buckets[row * width + i] as number
        if (bucket > 0) into.addTo(this.#from + i, bucket)
      }
    }
    const from = Math.max(this.#since, (present - before) * partMs)
    return { forMs: Math.max(1, now - from), count, failed }
  }

  #turn(now: number): number {
    const { parts, partMs } = this.#options
    const part = Math.floor(now / partMs)
    if (!(part > this.#part)) return this.#part
    const width = this.#buckets.length / parts
    for (let next = Math.max(this.#part + 1, part - parts + 1); next <= part; next++) {
      const row = next % parts
      this.#buckets.fill(0, row * width, (row + 1) * width)
      this.#counts[row] = 0
      this.#failed[row] = 0
    }
    this.#part = part
    return part
  }
}
