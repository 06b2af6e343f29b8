import type { Agenda } from './agenda.ts'
import { Caches } from './caches.ts'
import { type Failure, type Fleet, spread, targetCount } from './fleet.ts'
import type { Ledger } from './ledger.ts'
import { LoadReports } from './load-reports.ts'
import { Fifo } from './serve/fifo.ts'
import type { Servers } from './serve/servers.ts'
import { Sharing } from './serve/sharing.ts'
import type { Slots } from './slots.ts'
import { Trouble } from './trouble.ts'

/** Kinds of entries in the agenda that are the site's. */
export const WORK = 0
const NEIGHBOUR = 1
const TURN = 2
const CHECK = 3
/** From here on they are others'. */
export const FIRST_FREE = 4

/** Hears what happens at the targets. */
export interface Watching {
  /** The request is lost with its connection. */
  lost(slot: number, now: number): void
  /** The health checks have changed their mind. */
  setDown(target: number, down: boolean): void
}

/** The targets: their servers, caches and neighbours, and what they know of themselves. */
export class Site {
  readonly #fleet: Fleet
  readonly #slots: Slots
  readonly #ledger: Ledger
  readonly #watching: Watching
  readonly #servers: Servers
  readonly #trouble: Trouble
  readonly #capacity: Float64Array
  readonly #caches: Caches | undefined
  readonly #reports: LoadReports
  #measuring = false
  #measuredFrom = 0
  #spentBefore: Float64Array

  constructor(
    fleet: Fleet,
    agenda: Agenda,
    slots: Slots,
    ledger: Ledger,
    random: () => number,
    watching: Watching,
  ) {
    const count = targetCount(fleet)
    this.#fleet = fleet
    this.#slots = slots
    this.#ledger = ledger
    this.#watching = watching
    this.#trouble = new Trouble(fleet, agenda, { neighbour: NEIGHBOUR, turn: TURN, check: CHECK }, random)
    this.#capacity = spread(fleet, ({ capacity = 1 }) => capacity)
    const speeds = this.#trouble.speeds()
    this.#servers =
      fleet.discipline === 'fifo'
        ? new Fifo(agenda, WORK, slots, this.#capacity, speeds, (slot) => slots.give(slot))
        : new Sharing(agenda, WORK, slots, this.#capacity, speeds)
    this.#caches = fleet.cache === undefined ? undefined : new Caches(count, fleet.cache.keys)
    this.#reports = new LoadReports(count)
    this.#spentBefore = new Float64Array(count)
  }

  modeOf(target: number): Failure['mode'] | undefined {
    return this.#trouble.modes[target]
  }

  /** A request arrives that is `work`, in milliseconds of a server of speed 1. */
  enter(slot: number, target: number, work: number, key: number | undefined, now: number): void {
    const known = key !== undefined && this.#caches?.use(target, key) === true
    if (this.#caches !== undefined && this.#measuring) this.#ledger.lookup(known)
    this.#slots.work[slot] = known ? work * this.#fleet.cache!.hit : work
    this.#servers.enter(slot, target, now)
    this.#noteLoad(target, now)
  }

  /** An entry of kind `WORK` is due. Returns the request that is done, -1 if there is none. */
  finish(subject: number, stamp: number, now: number): number {
    const slot = this.#servers.due(subject, stamp, now)
    if (slot !== -1) this.#noteLoad(this.#slots.target[slot]!, now)
    return slot
  }

  /** What the target's answer says of its load. */
  report(target: number, tookMs: number): string | undefined {
    const rif = this.#servers.present[target]!
    this.#reports.finished(target, rif, tookMs)
    const kind = this.#fleet.reports
    return kind === undefined ? undefined : this.#reports.write(target, rif, kind)
  }

  /** What it answers to a probe; undefined if it does not. */
  probe(target: number): { rif: number; latencyMs: number } | undefined {
    const mode = this.modeOf(target)
    if (mode === 'refuses' || mode === 'freezes') return undefined
    const rif = this.#servers.present[target]!
    return { rif, latencyMs: this.#reports.latencyMs(target, rif) }
  }

  /** An entry of another kind of the site's is due. */
  happen(kind: number, subject: number, now: number): void {
    this.#trouble.due(kind, subject, now, {
      setSpeed: (target, speed) => this.#servers.setSpeed(target, speed, now),
      lose: (target) => this.#servers.lose(target, now, (slot) => this.#watching.lost(slot, now)),
      setDown: (target, down) => this.#watching.setDown(target, down),
    })
  }

  /** From now on the utilisation counts, and what caches do. */
  measure(now: number): void {
    this.#measuring = true
    this.#measuredFrom = now
    this.#spentBefore = this.#servers.spent(now)
  }

  /** By target, since `measure`: part of the time (0..1) that its servers worked. */
  utilisation(now: number): Float64Array {
    const lasted = now - this.#measuredFrom
    return this.#servers
      .spent(now)
      .map((spent, i) => (spent - this.#spentBefore[i]!) / (this.#capacity[i]! * lasted))
  }

  #noteLoad(target: number, now: number): void {
    this.#reports.note(target, this.#servers.busy(target) / this.#capacity[target]!, now)
  }
}
