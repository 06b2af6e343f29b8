import type { Balancer, Candidates, Outcome, PolicyContext, Target } from '../../upstreams/contract.ts'
import { Failures } from '../load/failures.ts'
import { readLoadReport } from '../load/orca-report.ts'
import { Slots } from '../load/slots.ts'
import { LatencyByRif } from '../prequal/latency-by-rif.ts'
import { ProbePool } from '../prequal/probe-pool.ts'
import {
  type Ask,
  MOST_HELD,
  type ProbeQuestion,
  poolSizeFor,
  removalsFor,
  reuseBudget,
} from '../prequal/probes.ts'
import { Reports } from '../prequal/reports.ts'
import { RifQuantile } from '../prequal/rif-quantile.ts'
import { Sampler } from '../sample/sampler.ts'

export interface PrequalOptions {
  /** Undefined: what targets report, and the gateway's own counters. */
  readonly probe?: ProbeQuestion
  /** A request. */
  readonly probes: number
  /** Undefined: by the number of targets, see `poolSizeFor`. */
  readonly poolSize?: number
  /** Milliseconds. */
  readonly maxAge: number
  readonly hotQuantile: number
}

/** Time constant by which the gateway's own figures fade, in milliseconds. */
const DECAY = 2000
/** Draws for a target that was not drawn yet. */
const DRAWS = 4

/**
 * Prequal ("Load is not what you should balance: Introducing Prequal", Wydrowski et al., NSDI 2024). Each request has a
 * few targets probed, drawn at random by weight; their answers (requests in flight, latency) go into a pool and are
 * used for a second and a few requests. Of the pool the cold target of lowest latency is taken, hot being who has more
 * in flight than a quantile of the recent answers; if all are hot, the one with the fewest in flight. With fewer than two
 * answers it is a target at random.
 *
 * Answers come from, in this order: HTTP probes, if `probe` says where, which come in while requests go on; what
 * targets report with their responses (ORCA, metrics named `rif` and `latencyMs`); and, while they do not, the
 * gateway's own counters, read at once (see `Reports`). Failures count against a target whatever it says of
 * itself: its answers are dropped, and further ones have the failures added (see `Failures`); the paper calls what that
 * prevents sinkholing.
 *
 * O(pool size) a pick, a constant; O(N) when targets change.
 */
export class Prequal implements Balancer {
  readonly #context: PolicyContext
  readonly #options: PrequalOptions
  readonly #ask: Ask
  readonly #slots = new Slots()
  readonly #sampler: Sampler
  readonly #pool: ProbePool
  readonly #rifs: RifQuantile
  readonly #latency = new LatencyByRif(DECAY)
  readonly #failures = new Failures()
  readonly #reports: Reports
  #uses = Number.POSITIVE_INFINITY
  #removals = 0
  /** What is left over of a probe, of a removal and of a use, where they are not whole ones. */
  readonly #due = new Float64Array(3)
  readonly #drawn: Int32Array
  #worstNext = true

  constructor(context: PolicyContext, options: PrequalOptions, ask: Ask) {
    this.#context = context
    this.#options = options
    this.#ask = ask
    this.#sampler = new Sampler(context.random)
    this.#pool = new ProbePool(options.poolSize ?? MOST_HELD)
    this.#drawn = new Int32Array(Math.ceil(options.probes) + 1)
    this.#reports = new Reports(options.maxAge)
    this.#rifs = new RifQuantile(options.hotQuantile)
  }

  onTargets(candidates: Candidates): void {
    const { probes } = this.#options
    const poolSize = this.#options.poolSize ?? poolSizeFor(candidates.length)
    this.#pool.limit(poolSize)
    const from = this.#slots.assign(candidates)
    this.#sampler.onTargets(candidates)
    this.#latency.onTargets(from, this.#context.now())
    this.#failures.onTargets(from)
    this.#reports.onTargets(from)
    this.#pool.renumber((target) => this.#slots.of(target))
    this.#removals = removalsFor(poolSize, candidates.length, probes)
    this.#uses = reuseBudget(poolSize, candidates.length, probes, this.#removals)
  }

  pick(candidates: Candidates): Target {
    if (candidates.length !== this.#sampler.size) this.onTargets(candidates)
    const now = this.#context.now()
    const pool = this.#pool
    pool.expire(now - this.#options.maxAge)
    this.#probe(candidates, now)
    if (candidates.length === 1) return candidates[0]
    if (pool.size < 2) return candidates[this.#sampler.draw()] as Target
    if (this.#options.probe === undefined && this.#reports.count(now)) {
      const i = this.#sampler.draw()
      if (this.#failures.phantoms(i, now) < 1 && this.#reports.wantsTo(i, now)) return candidates[i] as Target
    }
    const best = pool.best(this.#rifs.hotAbove)
    const target = candidates[pool.number(best)]
    if (target !== pool.target(best)) return candidates[this.#sampler.draw()] as Target
    pool.use(best)
    this.#remove()
    return target
  }

  onOutcome(target: Target, outcome: Outcome): void {
    const i = this.#slots.of(target)
    if (i < 0) return
    const now = this.#context.now()
    // The attempt itself is still among them.
    const rif = Math.max(0, target.inflight - 1)
    if (outcome.kind === 'abandoned') {
      const { overtakenAfterMs = 0 } = outcome
      const { usual } = this.#failures
      if (overtakenAfterMs > this.#latency.estimate(i, rif, now, usual))
        this.#latency.observe(i, rif, overtakenAfterMs, now, usual)
      return
    }
    this.#failures.record(i, outcome, now)
    if (this.#failures.row(i) > 0) {
      this.#pool.forget(target)
      return
    }
    this.#latency.observe(i, rif, outcome.latencyMs, now, this.#failures.usual)
    if (outcome.kind === 'answered') this.#read(i, target, outcome.loadReport, now)
  }

  #read(i: number, target: Target, header: string | undefined, now: number): void {
    const report = header === undefined ? undefined : readLoadReport(header)
    if (report === undefined || Number.isNaN(report.rif)) {
      this.#reports.missed(now)
      return
    }
    this.#reports.came(i, now)
    if (this.#options.probe === undefined && !this.#reports.count(now)) return
    this.#answered(target, report.rif, report.latencyMs)
  }

  readonly #answered = (target: Target, rif: number, latencyMs: number): void => {
    const i = this.#slots.of(target)
    if (i >= 0) this.#add(i, target, rif, latencyMs, this.#context.now())
  }

  /** Of different targets, as the paper has it. */
  #probe(candidates: Candidates, now: number): void {
    const due = (this.#due[0] as number) + this.#options.probes
    const whole = Math.floor(due)
    this.#due[0] = due - whole
    if (whole >= candidates.length) {
      for (let i = 0; i < candidates.length; i++) {
        if (Number.isFinite(this.#sampler.perWeight(i))) this.#probeOne(candidates, i, now)
      }
      return
    }
    for (let n = 0; n < whole; n++) {
      let i = this.#sampler.draw()
      for (let again = 1; again < DRAWS && this.#isDrawn(i, n); again++) i = this.#sampler.draw()
      this.#drawn[n] = i
      this.#probeOne(candidates, i, now)
    }
  }

  /** Among the first `count`. */
  #isDrawn(i: number, count: number): boolean {
    for (let n = 0; n < count; n++) if (this.#drawn[n] === i) return true
    return false
  }

  #probeOne(candidates: Candidates, i: number, now: number): void {
    const { probe } = this.#options
    const target = candidates[i] as Target
    if (probe !== undefined) this.#ask(target, probe, this.#answered)
    else if (!this.#reports.count(now)) this.#add(i, target, target.inflight, Number.NaN, now)
  }

  #add(i: number, target: Target, rif: number, latencyMs: number, now: number): void {
    const failures = this.#failures
    const own = Number.isNaN(latencyMs)
    const latency = own ? this.#latency.estimate(i, target.inflight, now, failures.usual) : latencyMs
    if (failures.idle) {
      this.#rifs.record(rif)
      this.#pool.add(target, i, rif, latency, now, this.#budget())
      return
    }
    const withFailed = rif + failures.phantoms(i, now)
    this.#rifs.record(withFailed)
    const delayed = Math.max(latency, failures.delay(i, now))
    this.#pool.add(target, i, withFailed, delayed, now, this.#budget())
  }

  /** Rounded so that the mean is right; the paper throws dice for it. */
  #budget(): number {
    if (this.#uses === Number.POSITIVE_INFINITY) return this.#uses
    const due = (this.#due[2] as number) + this.#uses
    const whole = Math.floor(due)
    this.#due[2] = due - whole
    return whole
  }

  /** The worst and the oldest in turn: what is left over of good answers' use is bad ones. */
  #remove(): void {
    let due = (this.#due[1] as number) + this.#removals
    for (; due >= 1; due--) {
      if (this.#worstNext) this.#pool.removeWorst(this.#rifs.hotAbove)
      else this.#pool.removeOldest()
      this.#worstNext = !this.#worstNext
    }
    this.#due[1] = due
  }
}
