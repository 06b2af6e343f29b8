import type { Ask } from '../plugins/load-balancing/prequal/probes.ts'
import type { Lease, Outcome, Target } from '../plugins/upstreams/contract.ts'
import { Agenda } from './agenda.ts'
import { nextArrival } from './arrivals.ts'
import { dice } from './dice.ts'
import { meanOf, sampler, zipf } from './distribution.ts'
import type { Fault, Figures } from './figures.ts'
import { type Fleet, fullSpeed, type PolicyChoice } from './fleet.ts'
import { type Balancers, Gateway } from './gateway.ts'
import { Ledger } from './ledger.ts'
import { Probes, withProbes } from './probes.ts'
import { FIRST_FREE, Site, WORK } from './site.ts'
import { Deadlines, Slots } from './slots.ts'

/** Kinds of entries in the agenda. */
const FAST = FIRST_FREE
const PROBE = FIRST_FREE + 1

/** How long a target takes that fails at once, in milliseconds. */
const FAST_MS = 1
/** Way to a target and back, of a probe. */
const PROBE_MS = 1

const NOBODY: ReadonlySet<never> = new Set<never>()

export interface RunOptions {
  /** Default: the fleet's. */
  readonly requests?: number
  readonly seed: number
}

/**
 * Runs one policy against a fleet in virtual time: a request is one attempt, without retries or hedges, so that what
 * is seen is the policy's. The same seed gives the same run, and the same requests to every policy.
 */
export function simulate(
  fleet: Fleet,
  choice: PolicyChoice,
  balancers: Balancers,
  options: RunOptions,
): Figures {
  return new Run(fleet, choice, balancers, options).figures()
}

class Run {
  readonly #fleet: Fleet
  readonly #requests: number
  readonly #unmeasured: number
  readonly #gateways: readonly Gateway[]
  readonly #agenda = new Agenda()
  readonly #slots = new Slots()
  readonly #probes = new Probes()
  readonly #deadlines: Deadlines
  readonly #ledger: Ledger
  readonly #site: Site
  readonly #next: (now: number) => number
  readonly #work: () => number
  readonly #gateway: () => number
  readonly #key: (() => number) | undefined
  readonly #asked = { key: '', repeatable: true, tried: NOBODY }
  #now = 0
  #number = 0

  constructor(fleet: Fleet, choice: PolicyChoice, balancers: Balancers, { requests, seed }: RunOptions) {
    this.#fleet = fleet
    this.#requests = requests ?? fleet.requests
    this.#unmeasured = Math.floor(this.#requests * (fleet.warmup ?? 0.1))
    const stream = (number: number) => dice(seed, number)
    const rate = (fleet.arrivals.load * fullSpeed(fleet)) / meanOf(fleet.service)
    const which = stream(3)
    const { gateways = 1, keys, deadlineMs = Number.POSITIVE_INFINITY } = fleet
    this.#next = nextArrival(fleet.arrivals, rate, stream(1))
    this.#work = sampler(fleet.service, stream(2))
    this.#gateway = gateways === 1 ? () => 0 : () => Math.floor(which() * gateways)
    this.#key = keys === undefined ? undefined : zipf(keys.count, keys.skew, stream(4))
    this.#gateways = Array.from({ length: gateways }, (_, i) => {
      const probing = withProbes(balancers, (target, _, answered) =>
        this.#probe(target, gateway.numberOf(target), answered),
      )
      const context = { now: () => this.#now, random: stream(100 + i) }
      const gateway: Gateway = new Gateway(fleet, probing, choice, context)
      return gateway
    })
    this.#deadlines = new Deadlines(deadlineMs)
    this.#ledger = new Ledger(this.#requests - this.#unmeasured)
    this.#site = new Site(fleet, this.#agenda, this.#slots, this.#ledger, stream(5), this)
  }

  figures(): Figures {
    let utilisation: Float64Array = new Float64Array(1)
    let arrival = this.#next(0)
    while (this.#number < this.#requests || this.#ledger.present > 0) {
      const due = this.#agenda.next
      const deadline = this.#deadlines.next(this.#slots)
      if (arrival < due && arrival < deadline) {
        this.#now = arrival
        this.#arrive()
        if (this.#number < this.#requests) {
          arrival = this.#next(arrival)
        } else {
          utilisation = this.#site.utilisation(this.#now)
          arrival = Number.POSITIVE_INFINITY
        }
      } else if (due <= deadline) {
        if (due === Number.POSITIVE_INFINITY) throw new Error('requests are left that nothing will ever end')
        this.#now = due
        this.#happen()
      } else {
        this.#now = deadline
        this.#giveUp(this.#deadlines.take())
      }
    }
    const left = this.#gateways.reduce((sum, { inflight }) => sum + inflight, 0)
    if (left !== 0) throw new Error(`the registries still count ${left} attempts when all have ended`)
    return this.#ledger.close(this.#now, utilisation)
  }

  #arrive(): void {
    const now = this.#now
    const number = this.#number++
    if (number === this.#unmeasured) this.#site.measure(now)
    // Drawn whatever becomes of the request: the next one is then the same under all policies.
    const work = this.#work()
    const gateway = this.#gateways[this.#gateway()]!
    const key = this.#key?.()
    if (key !== undefined) this.#asked.key = `key-${key}`
    const lease = gateway.lease(this.#asked)
    if (typeof lease === 'string') {
      this.#ledger.refused(number >= this.#unmeasured)
      return
    }
    const target = gateway.numberOf(lease.target)
    const slot = this.#enter(lease, number, target)
    const mode = this.#site.modeOf(target)
    if (mode === 'errors' || mode === 'refuses') this.#agenda.add(now + FAST_MS, FAST, slot, number)
    else this.#site.enter(slot, target, work, key, now)
  }

  #enter(lease: Lease, number: number, target: number): number {
    const slots = this.#slots
    const slot = slots.take()
    slots.arrivedAt[slot] = this.#now
    slots.number[slot] = number
    slots.target[slot] = target
    slots.leases[slot] = lease
    this.#ledger.entered(this.#now)
    this.#deadlines.add(slot, number, this.#now)
    return slot
  }

  #happen(): void {
    const agenda = this.#agenda
    agenda.take()
    const { kind, subject, stamp } = agenda
    if (kind === WORK) this.#done(subject, stamp)
    else if (kind === PROBE) this.#probes.answer(this.#site.probe(subject))
    else if (kind !== FAST) this.#site.happen(kind, subject, this.#now)
    // With a deadline shorter than that it has been given up meanwhile.
    else if (this.#slots.number[subject] === stamp) this.#failFast(subject)
    else this.#slots.give(subject)
  }

  #probe(target: Target, number: number, answered: Parameters<Ask>[2]): void {
    this.#probes.add(target, answered)
    this.#agenda.add(this.#now + PROBE_MS, PROBE, number, 0)
  }

  #done(subject: number, stamp: number): void {
    const slot = this.#site.finish(subject, stamp, this.#now)
    if (slot === -1) return
    if (this.#slots.givenUp[slot] === 0) {
      const latencyMs = this.#now - this.#slots.arrivedAt[slot]!
      const loadReport = this.#site.report(this.#slots.target[slot]!, latencyMs)
      const told = loadReport === undefined ? {} : { loadReport }
      this.#end(slot, { kind: 'answered', status: 200, latencyMs, ...told }, undefined)
    }
    this.#slots.give(slot)
  }

  #failFast(slot: number): void {
    const latencyMs = this.#now - this.#slots.arrivedAt[slot]!
    const outcome: Outcome =
      this.#site.modeOf(this.#slots.target[slot]!) === 'refuses'
        ? { kind: 'failed', reason: 'connect', requestSent: false, latencyMs }
        : { kind: 'answered', status: 500, latencyMs }
    this.#end(slot, outcome, 'failures')
    this.#slots.give(slot)
  }

  #giveUp(slot: number): void {
    const latencyMs = this.#fleet.deadlineMs as number
    this.#end(slot, { kind: 'failed', reason: 'timeout', requestSent: true, latencyMs }, 'timeouts')
    // Its deadline is behind it; the target may still have it.
    this.#slots.number[slot] = -1
    this.#slots.givenUp[slot] = 1
  }

  #end(slot: number, outcome: Outcome, fault: Fault | undefined): void {
    const { leases, arrivedAt, number } = this.#slots
    const lease = leases[slot] as Lease
    leases[slot] = undefined
    lease.settle(outcome)
    lease.release()
    this.#ledger.left(this.#now, this.#now - arrivedAt[slot]!, number[slot]! >= this.#unmeasured, fault)
  }

  lost(slot: number): void {
    if (this.#slots.givenUp[slot] === 0) {
      const latencyMs = this.#now - this.#slots.arrivedAt[slot]!
      this.#end(slot, { kind: 'failed', reason: 'reset', requestSent: true, latencyMs }, 'failures')
    }
    this.#slots.give(slot)
  }

  setDown(target: number, down: boolean): void {
    for (const gateway of this.#gateways) gateway.setDown(target, down)
  }
}
