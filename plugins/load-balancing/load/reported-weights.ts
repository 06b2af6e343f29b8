import type { Outcome } from '../../upstreams/contract.ts'
import { isFailure } from './failures.ts'
import { readLoadReport } from './orca-report.ts'
import { carried } from './slots.ts'

export interface ReportedWeightOptions {
  /** Milliseconds. */
  readonly blackout: number
  /** Milliseconds. */
  readonly expiration: number
  readonly errorUtilizationPenalty: number
}

/** Part by which a period moves the rate of requests that we measure ourselves. */
const STEP = 0.3

/**
 * Weights from what targets report of their load, by gRPC's A58 (client_side_weighted_round_robin):
 * weight = qps / (utilisation + eps / qps x penalty), void during the black-out after the first report and when the
 * last one has expired. Utilisation is the application's or, where it says nothing, that of the CPU.
 *
 * Where a report has no qps the rate that we send counts instead, and where we see more errors than the report tells
 * of, ours do: a target that fails fast has little to do, and would look as if it could take more.
 *
 * O(1) an outcome but for the reading of the report, O(N) for all weights.
 */
export class ReportedWeights {
  readonly #options: ReportedWeightOptions
  #weight = new Float64Array(0)
  #reportedAt = new Float64Array(0)
  #since = new Float64Array(0)
  #requests = new Float64Array(0)
  #errors = new Float64Array(0)
  #rate = new Float64Array(0)
  #errorShare = new Float64Array(0)

  constructor(options: ReportedWeightOptions) {
    this.#options = options
  }

  onTargets(from: Int32Array): void {
    this.#weight = carried(this.#weight, from)
    this.#reportedAt = carried(this.#reportedAt, from, Number.NEGATIVE_INFINITY)
    this.#since = carried(this.#since, from, Number.POSITIVE_INFINITY)
    this.#requests = carried(this.#requests, from)
    this.#errors = carried(this.#errors, from)
    this.#rate = carried(this.#rate, from)
    this.#errorShare = carried(this.#errorShare, from)
  }

  onOutcome(i: number, outcome: Outcome, now: number): void {
    if (outcome.kind === 'abandoned') return
    this.#requests[i] = (this.#requests[i] as number) + 1
    if (isFailure(outcome)) this.#errors[i] = (this.#errors[i] as number) + 1
    if (outcome.kind === 'answered' && outcome.loadReport !== undefined)
      this.#read(i, outcome.loadReport, now)
  }

  #read(i: number, header: string, now: number): void {
    const report = readLoadReport(header)
    if (report === undefined) return
    const utilization =
      report.applicationUtilization > 0 ? report.applicationUtilization : report.cpuUtilization
    const qps = report.rps > 0 ? report.rps : (this.#rate[i] as number)
    if (!(utilization > 0 && qps > 0)) return
    const told = report.rps > 0 ? report.eps / report.rps : 0
    const errors = Math.max(told, this.#errorShare[i] as number)
    this.#weight[i] = qps / (utilization + errors * this.#options.errorUtilizationPenalty)
    this.#reportedAt[i] = now
    if (this.#since[i] === Number.POSITIVE_INFINITY) this.#since[i] = now
  }

  /** A period of `ms` has passed: what was counted in it becomes rates. */
  endPeriod(ms: number): void {
    for (let i = 0; i < this.#rate.length; i++) {
      const requests = this.#requests[i] as number
      const rate = (requests * 1000) / ms
      const known = this.#rate[i] as number
      this.#rate[i] = known === 0 ? rate : known + (rate - known) * STEP
      const share = requests === 0 ? 0 : (this.#errors[i] as number) / requests
      this.#errorShare[i] = (this.#errorShare[i] as number) * (1 - STEP) + share * STEP
    }
    this.#requests.fill(0)
    this.#errors.fill(0)
  }

  /**
   * The weights that hold now; who has none gets the mean of the others. With fewer than two of them the configured
   * ones hold for all, and a configured weight of 0 always does.
   */
  weights(configured: Float64Array, now: number): Float64Array {
    const { blackout, expiration } = this.#options
    const result = new Float64Array(configured.length)
    let sum = 0
    let count = 0
    for (let i = 0; i < result.length; i++) {
      if (now - (this.#reportedAt[i] as number) >= expiration) this.#since[i] = Number.POSITIVE_INFINITY
      if (!(now - (this.#since[i] as number) >= blackout)) continue
      result[i] = this.#weight[i] as number
      sum += result[i] as number
      count++
    }
    if (count < 2) return configured
    return result.map((weight, i) => (configured[i] === 0 ? 0 : weight === 0 ? sum / count : weight))
  }
}
