import { knownFor, LEVELS, levelOf } from '../plugins/load-balancing/prequal/levels.ts'
import type { Fleet } from './fleet.ts'

/** Over how long a target averages what it tells of its load. */
const WINDOW_MS = 1000
/** Part by which an answer moves the latency of its level. */
const STEP = 1 / 8

/**
 * What targets know of their own load, and tell. The part of their servers that works and the requests they finish a
 * second, both averaged with exponential decay; their requests in flight; and, as in Prequal (section 4.1), what
 * answers took of late that came when there were about as many.
 */
export class LoadReports {
  readonly #level: Float64Array
  readonly #busy: Float64Array
  readonly #rate: Float64Array
  readonly #since: Float64Array
  /** By target and level; 0 where nothing is known. */
  readonly #latency: Float64Array

  constructor(targets: number) {
    this.#level = new Float64Array(targets)
    this.#busy = new Float64Array(targets)
    this.#rate = new Float64Array(targets)
    this.#since = new Float64Array(targets)
    this.#latency = new Float64Array(targets * LEVELS)
  }

  /** @param level the part of the target's servers that works from now on */
  note(target: number, level: number, now: number): void {
    const keep = Math.exp(-(now - this.#since[target]!) / WINDOW_MS)
    this.#busy[target] = keep * this.#busy[target]! + (1 - keep) * this.#level[target]!
    this.#rate[target] = keep * this.#rate[target]!
    this.#since[target] = now
    this.#level[target] = level
  }

  /** @param rif requests in flight that are left */
  finished(target: number, rif: number, tookMs: number): void {
    this.#rate[target]! += 1000 / WINDOW_MS
    const at = target * LEVELS + levelOf(rif)
    const known = this.#latency[at]!
    this.#latency[at] = known === 0 ? tookMs : known + (tookMs - known) * STEP
  }

  /** Milliseconds that a request takes here with about so many in flight; 0 before the first one has ended. */
  latencyMs(target: number, rif: number): number {
    return knownFor(this.#latency, target * LEVELS, rif)
  }

  /** The value of the header `endpoint-load-metrics`. */
  write(target: number, rif: number, kind: NonNullable<Fleet['reports']>): string {
    const busy = this.#busy[target]!.toFixed(4)
    const load = `TEXT cpu_utilization=${busy}, rps_fractional=${this.#rate[target]!.toFixed(3)}`
    if (kind === 'utilisation') return load
    return `${load}, named_metrics.rif=${rif}, named_metrics.latencyMs=${this.latencyMs(target, rif).toFixed(3)}`
  }
}
