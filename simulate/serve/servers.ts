/** What the requests of a run are to the servers that work on them, by slot. */
export interface Jobs {
  /** Work in milliseconds of a server of speed 1. */
  work: Float64Array
  /** The job behind this one in its target's line, -1 if there is none. */
  next: Int32Array
  /** 1 once nobody waits for the answer any more. */
  givenUp: Uint8Array
}

/** The servers of all targets under one discipline. */
export interface Servers {
  /** Jobs at each target, those in line included. */
  readonly present: Int32Array
  /** Servers of each target that work. */
  busy(target: number): number
  enter(job: number, target: number, now: number): void
  /** The entry of the agenda with this subject is due. Returns the job that is done, -1 if the entry does not hold. */
  due(subject: number, stamp: number, now: number): number
  setSpeed(target: number, speed: number, now: number): void
  /** All jobs of the target are lost. */
  lose(target: number, now: number, lost: (job: number) => void): void
  /** Server milliseconds spent by each target so far. */
  spent(now: number): Float64Array
}

/** Sums up how many servers of each target work, over time. */
export class Meter {
  readonly #area: Float64Array
  readonly #since: Float64Array
  readonly #level: Int32Array

  constructor(count: number) {
    this.#area = new Float64Array(count)
    this.#since = new Float64Array(count)
    this.#level = new Int32Array(count)
  }

  set(target: number, level: number, now: number): void {
    this.#area[target]! += this.#level[target]! * (now - this.#since[target]!)
    this.#since[target] = now
    this.#level[target] = level
  }

  read(now: number): Float64Array {
    return this.#area.map((area, i) => area + this.#level[i]! * (now - this.#since[i]!))
  }
}
