import type { PolicyContext } from '../upstreams/contract.ts'
import { LatencyHistogram, LatencyScale } from '../upstreams/latency-histogram.ts'

export interface GradientOptions {
  /** Which quantile of the latencies stands for a window, 0..1. */
  readonly quantile: number
  /** Milliseconds; shortest window. */
  readonly interval: number
  /** Fewest samples of a window: it lasts until they are in. */
  readonly minSamples: number
  /** Milliseconds between two measurements of minRTT; before jitter. */
  readonly minRttInterval: number
  /** Samples that a measurement takes. */
  readonly minRttSamples: number
  /** Part of minRTT that latency may vary by without anything being wrong. */
  readonly buffer: number
  /** Lowest limit, and the one while minRTT is measured. */
  readonly min: number
  readonly max: number
  /** The limit once minRTT is known. */
  readonly initial: number
}

/** Right to within 1 %: the limit follows small differences. */
const SCALE = new LatencyScale(0.01)
/** Envoy adds up to 15 % to the interval, so that not all measure at once. */
const JITTER = 0.15
/** After this many windows at the lowest limit minRTT itself is doubted. */
const WINDOWS_AT_MIN = 5
/** A measurement waits so long for a quiet time of itself, before it makes one. */
const PATIENCE_MS = 1000

/**
 * How many attempts a target can have under way before they only wait for each other, learnt from latency: Envoy's
 * gradient controller.
 *
 * gradient = clamp(minRTT x (1 + buffer) / sampleRTT, 0.5, 2)
 * limit = gradient x limit + sqrt(gradient x limit)
 *
 * minRTT is measured at the start, and every `minRttInterval` from then on, while no more than `min` are under way. If
 * there is no such time for a second, the limit is lowered to `min`.
 *
 * Unlike Envoy's: a measurement waits for a quiet time first; one for each target and not for the cluster; latency counts to the response head and not to the
 * last byte; a window goes on until it has `minSamples`; and the limit does not grow while less than half of it is
 * used (Netflix's concurrency-limits), so that a quiet night does not end in a morning without one. It has no timers:
 * time is looked at when a sample comes.
 */
export class GradientLimit {
  readonly #options: GradientOptions
  readonly #context: PolicyContext
  readonly #samples = new LatencyHistogram(SCALE)
  /** The limit outside of measurements. */
  #limit: number
  #minRtt = 0
  #measuring = true
  /** The limit is down to `min` for the measurement. */
  #lowered = false
  /** Monotonic milliseconds: when more than `min` were last under way. */
  #crowdedAt = Number.NEGATIVE_INFINITY
  #since: number
  #measureAt = Number.POSITIVE_INFINITY
  #windowsAtMin = 0
  /** Most attempts at once in this window. */
  #peak = 0

  constructor(options: GradientOptions, context: PolicyContext) {
    this.#options = options
    this.#context = context
    this.#limit = options.initial
    this.#since = context.now()
  }

  /** Attempts that may be under way at once now. */
  get limit(): number {
    return this.#lowered ? this.#options.min : this.#limit
  }

  /** Milliseconds; 0 until it has been measured. */
  get minRtt(): number {
    return this.#minRtt
  }

  /** @param inflight attempts under way, without the one that asks */
  admits(inflight: number): boolean {
    if (inflight >= this.limit) return false
    if (this.#measuring && inflight >= this.#options.min) this.#crowdedAt = this.#context.now()
    if (inflight >= this.#peak) this.#peak = inflight + 1
    return true
  }

  /**
   * The latency of an attempt that has come to an end.
   * @param startedAt when it was admitted, in monotonic milliseconds
   */
  record(milliseconds: number, startedAt: number): void {
    const now = this.#context.now()
    const { interval, minSamples, minRttSamples } = this.#options
    if (this.#measuring) {
      // Begun in a crowd, or before the limit was lowered, it would make minRTT look higher than it is.
      if (startedAt >= this.#since && (this.#lowered || startedAt > this.#crowdedAt)) {
        this.#samples.add(milliseconds)
        if (this.#samples.count >= minRttSamples) this.#measured(now)
      }
      const crowded = now - this.#crowdedAt < PATIENCE_MS
      if (this.#measuring && !this.#lowered && crowded && now - this.#since >= PATIENCE_MS) {
        this.#lowered = true
        this.#begin(now)
      }
      return
    }
    this.#samples.add(milliseconds)
    if (now - this.#since >= interval && this.#samples.count >= minSamples) this.#update(now)
    if (now >= this.#measureAt) this.#measure(now)
  }

  #update(now: number): void {
    const { quantile, buffer, min, max } = this.#options
    const ratio = (this.#minRtt * (1 + buffer)) / this.#samples.quantile(quantile)
    const scaled = this.#limit * Math.max(0.5, Math.min(2, ratio))
    const wanted = Math.max(min, Math.min(max, Math.floor(scaled + Math.sqrt(scaled))))
    const before = this.#limit
    if (wanted < before || this.#peak * 2 >= before) this.#limit = wanted
    this.#windowsAtMin = this.#limit === min && before === min ? this.#windowsAtMin + 1 : 0
    this.#begin(now)
    if (this.#windowsAtMin >= WINDOWS_AT_MIN) this.#measure(now)
  }

  #measure(now: number): void {
    this.#measuring = true
    this.#windowsAtMin = 0
    this.#begin(now)
  }

  #measured(now: number): void {
    this.#minRtt = this.#samples.quantile(this.#options.quantile)
    this.#measuring = false
    this.#lowered = false
    this.#measureAt = now + this.#options.minRttInterval * (1 + JITTER * this.#context.random())
    this.#begin(now)
  }

  #begin(now: number): void {
    this.#samples.clear()
    this.#since = now
    this.#peak = 0
  }
}
