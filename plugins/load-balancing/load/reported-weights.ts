import type { Outcome } from '../../upstreams/contract.ts'
import { isFailure } from './failures.ts'
import { readLoadReport } from './orca-report.ts'
import { carriedFigures } from './slots.ts'

export interface ReportedWeightOptions {
  /** Milliseconds. */
  readonly blackout: number
  /** Milliseconds. */
  readonly expiration: number
  readonly errorUtilizationPenalty: number
}

/** Part by which a period moves the rate of requests that we measure ourselves. */
const STEP = 0.3

/** What is kept of each target, as it is for a new one. */
const FRESH = {
  /** As last reported. */
  qps: 0,
  utilization: 0,
  errorsTold: 0,
  reportedAt: Number.NEGATIVE_INFINITY,
  /** Of the first report. */
  since: Number.POSITIVE_INFINITY,
  /** In this period. */
  requests: 0,
  errors: 0,
  /** Over the periods before. */
  rate: 0,
  errorShare: 0,
}

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
  #of = carriedFigures(undefined, new Int32Array(0), FRESH)

  constructor(options: ReportedWeightOptions) {
    this.#options = options
  }

  onTargets(from: Int32Array): void {
    this.#of = carriedFigures(this.#of, from, FRESH)
  }

  onOutcome(i: number, outcome: Outcome, now: number): void {
    if (outcome.kind === 'abandoned') return
    this.#of.requests[i] = (this.#of.requests[i] as number) + 1
    if (isFailure(outcome)) this.#of.errors[i] = (this.#of.errors[i] as number) + 1
    if (outcome.kind === 'answered' && outcome.loadReport !== undefined)
      this.#read(i, outcome.loadReport, now)
  }

  #read(i: number, header: string, now: number): void {
    const report = readLoadReport(header)
    if (report === undefined) return
    const utilization =
      report.applicationUtilization > 0 ? report.applicationUtilization : report.cpuUtilization
    const qps = report.rps > 0 ? report.rps : (this.#of.rate[i] as number)
    if (!(utilization > 0 && qps > 0)) return
    this.#of.qps[i] = qps
    this.#of.utilization[i] = utilization
    this.#of.errorsTold[i] = report.rps > 0 ? report.eps / report.rps : 0
    this.#of.reportedAt[i] = now
    if (this.#of.since[i] === Number.POSITIVE_INFINITY) this.#of.since[i] = now
  }

  /** A period of `ms` has passed: what was counted in it becomes rates. */
  endPeriod(ms: number): void {
    for (let i = 0; i < this.#of.rate.length; i++) {
      const requests = this.#of.requests[i] as number
      const rate = (requests * 1000) / ms
      const known = this.#of.rate[i] as number
      this.#of.rate[i] = known === 0 ? rate : known + (rate - known) * STEP
      const share = requests === 0 ? 0 : (this.#of.errors[i] as number) / requests
      this.#of.errorShare[i] = (this.#of.errorShare[i] as number) * (1 - STEP) + share * STEP
    }
    this.#of.requests.fill(0)
    this.#of.errors.fill(0)
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
      if (now - (this.#of.reportedAt[i] as number) >= expiration) {
        this.#of.since[i] = Number.POSITIVE_INFINITY
        this.#of.errorsTold[i] = 0
      }
      if (!(now - (this.#of.since[i] as number) >= blackout)) continue
      const known = this.#of.utilization[i] as number
      result[i] = (this.#of.qps[i] as number) / (known + this.#penalty(i))
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
    const errors = Math.max(this.#of.errorsTold[i] as number, this.#of.errorShare[i] as number)
    return errors * this.#options.errorUtilizationPenalty
  }
}
