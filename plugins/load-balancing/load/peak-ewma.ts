import type { Outcome } from '../../upstreams/contract.ts'
import { LatencyEwma } from './latency-ewma.ts'
import type { Load } from './load.ts'

/**
 * cost = peak EWMA of latency x (requests under way + 1): what another request there may expect to take (Finagle's
 * PeakEwma, Linkerd's). With weights, requests under way count by weight: mean weight / weight each.
 */
export class PeakEwmaLoad implements Load {
  readonly #latency: LatencyEwma
  readonly #now: () => number

  /** @param decay time constant in milliseconds */
  constructor(decay: number, now: () => number) {
    this.#latency = new LatencyEwma(decay, true)
    this.#now = now
  }

  onTargets(from: Int32Array, perWeight: (i: number) => number): void {
    this.#latency.onTargets(from, this.#now(), perWeight)
  }

  cost(i: number, requests: number, now: number): number {
    return this.#latency.at(i, now) * (requests + 1)
  }

  onOutcome(i: number, outcome: Outcome, now: number): void {
    this.#latency.onOutcome(i, outcome, now)
  }
}
