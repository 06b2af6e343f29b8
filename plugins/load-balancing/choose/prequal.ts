import type { Balancer, Candidates, Outcome, PolicyContext, Target } from '../../upstreams/contract.ts'
import { readLoadReport } from '../load/orca-report.ts'
import { Slots } from '../load/slots.ts'
import { OwnFigures } from '../prequal/own-figures.ts'
import { ProbePool } from '../prequal/probe-pool.ts'
import {
  type Ask,
  MOST_HELD,
  type ProbeQuestion,
  poolSizeFor,
  presence,
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

/** Draws for a target that was not drawn yet. */
const DRAWS = 4

/**
 * Prequal ("Load is not what you should balance: Introducing Prequal", Wydrowski et al., NSDI 2024). Each request has a
 * few targets probed, drawn at random by weight; their answers (requests in flight, latency) go into a pool and are
 * used for a second and a few requests. Of the pool the cold target of lowest latency is taken, hot being who has more
 * in flight than a quantile of the recent answers; if all are hot, the one with the fewest in flight. With fewer than two
 * answers it is a target at random.
 *
 * Where weights differ, requests in flight count by weight. The paper's replicas are alike; here a target of little weight
 * beside few others would be in the pool as often as they, and be taken as often. So a request is for a target that is
 * drawn by weight, and of those that the pool would move to a lighter one only as many move as move back (see `#stays`).
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
  readonly #own = new OwnFigures()
  readonly #reports: Reports
  #uses = Number.POSITIVE_INFINITY
  #removals = 0
  /** By target: its part of the weight for its presence in the pool. */
  #perPresence = new Float64Array(0)
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
    const { length } = candidates
    const poolSize = this.#options.poolSize ?? poolSizeFor(length)
    this.#pool.limit(poolSize)
    const from = this.#slots.assign(candidates)
    this.#sampler.onTargets(candidates)
    this.#own.onTargets(from, this.#context.now(), (i) => this.#sampler.perWeight(i))
    this.#reports.onTargets(from)
    this.#pool.renumber((target) => this.#slots.of(target))
    this.#perPresence = Float64Array.from(from, (_, i) => {
      const part = this.#sampler.part(i)
      return part / presence(part, poolSize, length, probes)
    })
    this.#removals = removalsFor(poolSize, length, probes)
    this.#uses = reuseBudget(poolSize, length, probes, this.#removals)
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
      if (!this.#own.hasFailed(i, now) && this.#reports.wantsTo(i, now)) return candidates[i] as Target
    }
    const best = pool.best(this.#rifs.hotAbove)
    const target = candidates[pool.number(best)]
    if (target !== pool.target(best)) return candidates[this.#sampler.draw()] as Target
    const drawn = this.#sampler.uniform ? undefined : this.#stays(candidates, best, now)
    if (drawn !== undefined) return drawn
    pool.use(best, this.#sampler.perWeight(pool.number(best)))
    this.#remove()
    return target
  }

  /**
   * A target drawn by weight, if the request is to stay there although another one is the pool's best. By Metropolis and
   * Hastings' rule (see `Sampler.moving`) as many move there as back where both are as good; all of them move away from
   * who fails, is hot beyond the difference that a request makes, or takes that much longer.
   */
  #stays(candidates: Candidates, best: number, now: number): Target | undefined {
    const first = this.#sampler.draw()
    const other = this.#pool.number(best)
    const moving = (this.#perPresence[other] as number) / (this.#perPresence[first] as number)
    if (first === other || !(moving < 1) || this.#own.fails(first)) return undefined
    const target = candidates[first] as Target
    const most = this.#rifs.hotAbove + this.#sampler.margin(first, other)
    if (this.#own.counted(first, target.inflight, now) > most) return undefined
    if (moving * this.#own.estimate(first, target, now) >= this.#pool.latency(best)) return undefined
    return this.#context.random() < moving ? undefined : target
  }

  onOutcome(target: Target, outcome: Outcome): void {
    const i = this.#slots.of(target)
    if (i < 0) return
    const now = this.#context.now()
    this.#own.onOutcome(i, target, outcome, now)
    if (outcome.kind === 'abandoned') return
    if (this.#own.fails(i)) this.#pool.forget(target)
    else if (outcome.kind === 'answered') this.#read(i, target, outcome.loadReport, now)
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
    // Of a weight of 0 something may be heard all the same: sessions go on.
    if (i >= 0 && this.#sampler.part(i) > 0) this.#add(i, target, rif, latencyMs, this.#context.now())
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
    const counted = this.#own.counted(i, rif, now)
    const latency = Number.isNaN(latencyMs) ? this.#own.estimate(i, target, now) : latencyMs
    this.#rifs.record(counted)
    this.#pool.add(target, i, counted, this.#own.delayed(i, latency, now), now, this.#budget())
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
