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
 * of, ours do: a target that fails fast has little to do, and would look as if it could take more. They count from one
 * period to the next, whether or not the errors bring reports; on who has no weight they count as on one whose
 * utilisation is the mean.
 *
 * O(1) an outcome but for the reading of the report, O(N) for all weights.
 */
export class ReportedWeights {
  readonly #options: ReportedWeightOptions
  /** As last reported. */
  #qps = new Float64Array(0)
  #utilization = new Float64Array(0)
  #errorsTold = new Float64Array(0)
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
    this.#qps = carried(this.#qps, from)
    this.#utilization = carried(this.#utilization, from)
    this.#errorsTold = carried(this.#errorsTold, from)
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
    this.#qps[i] = qps
    this.#utilization[i] = utilization
    this.#errorsTold[i] = report.rps > 0 ? report.eps / report.rps : 0
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
    let utilization = 0
    let count = 0
    for (let i = 0; i < result.length; i++) {
      if (now - (this.#reportedAt[i] as number) >= expiration) {
        this.#since[i] = Number.POSITIVE_INFINITY
        this.#errorsTold[i] = 0
      }
      if (!(now - (this.#since[i] as number) >= blackout)) continue
      const known = this.#utilization[i] as number
      result[i] = (this.#qps[i] as number) / (known + this.#penalty(i))
      sum += result[i] as number
      utilization += known
      count++
    }
    if (count < 2) return configured
    return result.map((weight, i) => {
      if (configured[i] === 0 || weight > 0) return configured[i] === 0 ? 0 : weight
      return ((sum / count) * utilization) / (utilization + this.#penalty(i) * count)
    })
  }

  /** What errors add to the utilisation. */
  #penalty(i: number): number {
    const errors = Math.max(this.#errorsTold[i] as number, this.#errorShare[i] as number)
    return errors * this.#options.errorUtilizationPenalty
  }
}
