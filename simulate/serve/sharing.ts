import type { Agenda } from '../agenda.ts'
import { type Jobs, Meter, type Servers } from './servers.ts'

/**
 * Processor sharing: all jobs of a target are worked on at once. With more jobs than servers each has
 * capacity / jobs of the speed. Nothing is dropped: a job that was given up takes its share all the same.
 *
 * Each target has a clock of its own, which goes as fast as the work on one job: a job that comes at `v` is done at
 * `v + work`, whatever comes or goes meanwhile. So only the first to be done stands in the agenda, O(jobs of a
 * target) an arrival.
 */
export class Sharing implements Servers {
  readonly present: Int32Array
  readonly #agenda: Agenda
  readonly #kind: number
  readonly #jobs: Jobs
  readonly #capacity: Float64Array
  readonly #speed: Float64Array
  readonly #clock: Float64Array
  readonly #since: Float64Array
  /** First to be done; from there on by `next`, the earlier first. Their `work` is the clock at which they are. */
  readonly #head: Int32Array
  readonly #stamp: Int32Array
  readonly #meter: Meter

  constructor(agenda: Agenda, kind: number, jobs: Jobs, capacity: Float64Array, speed: Float64Array) {
    const count = capacity.length
    this.#agenda = agenda
    this.#kind = kind
    this.#jobs = jobs
    this.#capacity = capacity
    this.#speed = speed.slice()
    this.present = new Int32Array(count)
    this.#clock = new Float64Array(count)
    this.#since = new Float64Array(count)
    this.#head = new Int32Array(count).fill(-1)
    this.#stamp = new Int32Array(count)
    this.#meter = new Meter(count)
  }

  busy(target: number): number {
    return Math.min(this.present[target]!, this.#capacity[target]!)
  }

  enter(job: number, target: number, now: number): void {
    this.#advance(target, now)
    // A fresh start keeps the clock small, and so exact.
    if (this.present[target] === 0) this.#clock[target] = 0
    const { work, next } = this.#jobs
    work[job]! += this.#clock[target]!
    let before = -1
    let after = this.#head[target]!
    while (after !== -1 && work[after]! <= work[job]!) {
      before = after
      after = next[after]!
    }
    next[job] = after
    if (before === -1) this.#head[target] = job
    else next[before] = job
    this.present[target]!++
    this.#changed(target, now)
  }

  due(target: number, stamp: number, now: number): number {
    if (this.#stamp[target] !== stamp) return -1
    const job = this.#head[target]!
    this.#clock[target] = this.#jobs.work[job]!
    this.#since[target] = now
    this.#head[target] = this.#jobs.next[job]!
    this.present[target]!--
    this.#changed(target, now)
    return job
  }

  setSpeed(target: number, speed: number, now: number): void {
    if (this.#speed[target] === speed) return
    this.#advance(target, now)
    this.#speed[target] = speed
    this.#changed(target, now)
  }

  lose(target: number, now: number, lost: (job: number) => void): void {
    this.#advance(target, now)
    let job = this.#head[target]!
    this.#head[target] = -1
    this.present[target] = 0
    this.#changed(target, now)
    while (job !== -1) {
      const next = this.#jobs.next[job]!
      lost(job)
      job = next
    }
  }

  spent(now: number): Float64Array {
    return this.#meter.read(now)
  }

  #rate(target: number): number {
    const jobs = this.present[target]!
    const capacity = this.#capacity[target]!
    return jobs <= capacity ? this.#speed[target]! : (this.#speed[target]! * capacity) / jobs
  }

  #advance(target: number, now: number): void {
    if (this.present[target]! > 0) this.#clock[target]! += this.#rate(target) * (now - this.#since[target]!)
    this.#since[target] = now
  }

  #changed(target: number, now: number): void {
    // Who stands still does no work.
    this.#meter.set(target, this.#speed[target] === 0 ? 0 : this.busy(target), now)
    const stamp = ++this.#stamp[target]!
    const first = this.#head[target]!
    const rate = this.#rate(target)
    if (first === -1 || rate === 0) return
    const left = Math.max(0, this.#jobs.work[first]! - this.#clock[target]!)
    this.#agenda.add(now + left / rate, this.#kind, target, stamp)
  }
}
