import type { Agenda } from './agenda.ts'
import { exponential } from './distribution.ts'
import { chosen, type Failure, type Fleet, spread, targetCount } from './fleet.ts'

/** One antagonist at one target. */
interface Neighbour {
  readonly target: number
  readonly slowdown: number
  readonly onMs: number
  readonly offMs: number
  on: boolean
}

interface Turn {
  readonly failure: Failure
  readonly targets: readonly number[]
  readonly begins: boolean
}

/** What is told of each change. */
export interface Troubled {
  setSpeed(target: number, speed: number, now: number): void
  lose(target: number, now: number): void
  /** The health checks have changed their mind. */
  setDown(target: number, down: boolean): void
}

/** Antagonists and failures: who is slow and who is broken at which time. */
export class Trouble {
  /** By target: what it does with requests now. */
  readonly modes: (Failure['mode'] | undefined)[]
  readonly #agenda: Agenda
  readonly #kinds: { readonly neighbour: number; readonly turn: number; readonly check: number }
  readonly #random: () => number
  readonly #of: Neighbour[][]
  readonly #neighbours: Neighbour[] = []
  readonly #turns: Turn[] = []
  readonly #speed: Float64Array
  /** By target: the failures that it has now, in the order in which they began. */
  readonly #failing: Failure['mode'][][]
  /** By target: those that health checks have noticed, and not yet that they are over. */
  readonly #noticed: Int32Array

  constructor(
    fleet: Fleet,
    agenda: Agenda,
    kinds: { neighbour: number; turn: number; check: number },
    random: () => number,
  ) {
    const count = targetCount(fleet)
    this.#agenda = agenda
    this.#kinds = kinds
    this.#random = random
    this.#speed = spread(fleet, ({ speed = 1 }) => speed)
    this.#of = Array.from({ length: count }, () => [])
    this.modes = new Array(count).fill(undefined)
    this.#failing = Array.from({ length: count }, () => [])
    this.#noticed = new Int32Array(count)
    for (const { targets, slowdown, onMs, offMs } of fleet.antagonists ?? []) {
      for (const target of chosen(targets, count, random)) {
        // From the first moment as it is in the long run.
        const neighbour = { target, slowdown, onMs, offMs, on: random() < onMs / (onMs + offMs) }
        this.#neighbours.push(neighbour)
        this.#of[target]!.push(neighbour)
      }
    }
    for (const failure of fleet.failures ?? []) {
      const targets = chosen(failure.targets, count, random)
      this.#turns.push({ failure, targets, begins: true }, { failure, targets, begins: false })
    }
    this.#plan(fleet.health?.afterMs)
  }

  /** As fast as each target is now. */
  speeds(): Float64Array {
    return this.#speed.map((_, target) => this.#speedOf(target))
  }

  /** An entry of the agenda of one of the three kinds is due. */
  due(kind: number, subject: number, now: number, told: Troubled): void {
    if (kind === this.#kinds.neighbour) {
      const neighbour = this.#neighbours[subject]!
      neighbour.on = !neighbour.on
      this.#toggle(subject, now)
      told.setSpeed(neighbour.target, this.#speedOf(neighbour.target), now)
      return
    }
    const { failure, targets, begins } = this.#turns[subject]!
    for (const target of targets) {
      if (kind === this.#kinds.check) {
        this.#noticed[target]! += begins ? 1 : -1
        told.setDown(target, this.#noticed[target]! > 0)
        continue
      }
      this.#turn(target, failure.mode, begins)
      told.setSpeed(target, this.#speedOf(target), now)
      if (failure.mode === 'refuses' && begins) told.lose(target, now)
    }
  }

  /** Of several failures at a time the one that began last holds, as long as it lasts. */
  #turn(target: number, mode: Failure['mode'], begins: boolean): void {
    const failing = this.#failing[target]!
    if (begins) failing.push(mode)
    else failing.splice(failing.lastIndexOf(mode), 1)
    this.modes[target] = failing.at(-1)
  }

  #plan(checkedAfterMs: number | undefined): void {
    for (const [index, { offMs }] of this.#neighbours.entries()) if (offMs > 0) this.#toggle(index, 0)
    for (const [index, { failure, begins }] of this.#turns.entries()) {
      const at = begins ? failure.fromMs : failure.toMs
      this.#agenda.add(at, this.#kinds.turn, index, 0)
      if (checkedAfterMs !== undefined) this.#agenda.add(at + checkedAfterMs, this.#kinds.check, index, 0)
    }
  }

  #toggle(index: number, now: number): void {
    const { on, onMs, offMs } = this.#neighbours[index]!
    const lasts = exponential(on ? onMs : offMs, this.#random)
    this.#agenda.add(now + lasts, this.#kinds.neighbour, index, 0)
  }

  #speedOf(target: number): number {
    if (this.modes[target] === 'freezes') return 0
    let speed = this.#speed[target]!
    for (const { on, slowdown } of this.#of[target]!) if (on) speed /= slowdown
    return speed
  }
}
