import type { Agenda } from '../agenda.ts'
import { type Jobs, Meter, type Servers } from './servers.ts'

/**
 * Each server works on one job, the rest waits in line, first come first served. A job that was given up while it
 * waited is not begun; one that was begun is finished.
 */
export class Fifo implements Servers {
  readonly present: Int32Array
  readonly #agenda: Agenda
  readonly #kind: number
  readonly #jobs: Jobs
  readonly #capacity: Int32Array
  readonly #speed: Float64Array
  readonly #busy: Int32Array
  readonly #head: Int32Array
  readonly #tail: Int32Array
  /** Seats are servers, numbered over all targets. From `first + busy` on `free` has the empty ones of a target. */
  readonly #first: Int32Array
  readonly #free: Int32Array
  readonly #owner: Int32Array
  readonly #job: Int32Array
  readonly #due: Float64Array
  readonly #stamp: Int32Array
  readonly #meter: Meter
  readonly #dropped: (job: number) => void

  /** @param dropped hears of jobs that are not begun because nobody waits for them */
  constructor(
    agenda: Agenda,
    kind: number,
    jobs: Jobs,
    capacity: Float64Array,
    speed: Float64Array,
    dropped: (job: number) => void,
  ) {
    this.#dropped = dropped
    const count = capacity.length
    this.#agenda = agenda
    this.#kind = kind
    this.#jobs = jobs
    this.#capacity = Int32Array.from(capacity)
    this.#speed = speed.slice()
    this.present = new Int32Array(count)
    this.#busy = new Int32Array(count)
    this.#head = new Int32Array(count).fill(-1)
    this.#tail = new Int32Array(count).fill(-1)
    this.#first = new Int32Array(count)
    for (let i = 1; i < count; i++) this.#first[i] = this.#first[i - 1]! + this.#capacity[i - 1]!
    const seats = this.#first[count - 1]! + this.#capacity[count - 1]!
    this.#free = Int32Array.from({ length: seats }, (_, i) => i)
    this.#owner = new Int32Array(seats)
    for (let i = 0; i < count; i++) {
      this.#owner.fill(i, this.#first[i]!, this.#first[i]! + this.#capacity[i]!)
    }
    this.#job = new Int32Array(seats).fill(-1)
    this.#due = new Float64Array(seats)
    this.#stamp = new Int32Array(seats)
    this.#meter = new Meter(count)
  }

  busy(target: number): number {
    return this.#busy[target]!
  }

  enter(job: number, target: number, now: number): void {
    this.present[target]!++
    if (this.#busy[target]! < this.#capacity[target]!) {
      this.#begin(job, target, now)
      return
    }
    this.#jobs.next[job] = -1
    if (this.#tail[target] === -1) this.#head[target] = job
    else this.#jobs.next[this.#tail[target]!] = job
    this.#tail[target] = job
  }

  due(seat: number, stamp: number, now: number): number {
    if (this.#stamp[seat] !== stamp) return -1
    const job = this.#job[seat]!
    const target = this.#owner[seat]!
    this.present[target]!--
    this.#leave(seat, target, now)
    this.#call(target, now)
    return job
  }

  setSpeed(target: number, speed: number, now: number): void {
    const old = this.#speed[target]!
    if (old === speed) return
    this.#speed[target] = speed
    this.#measure(target, now)
    const first = this.#first[target]!
    for (let seat = first; seat < first + this.#capacity[target]!; seat++) {
      const job = this.#job[seat]!
      if (job === -1) continue
      // While the target stands still `work` has what is left.
      if (old > 0) this.#jobs.work[job] = (this.#due[seat]! - now) * old
      this.#schedule(seat, job, speed, now)
    }
  }

  lose(target: number, now: number, lost: (job: number) => void): void {
    const first = this.#first[target]!
    for (let seat = first; seat < first + this.#capacity[target]!; seat++) {
      const job = this.#job[seat]!
      if (job === -1) continue
      this.#leave(seat, target, now)
      lost(job)
    }
    let job = this.#head[target]!
    this.#head[target] = -1
    this.#tail[target] = -1
    while (job !== -1) {
      const next = this.#jobs.next[job]!
      lost(job)
      job = next
    }
    this.present[target] = 0
  }

  spent(now: number): Float64Array {
    return this.#meter.read(now)
  }

  #begin(job: number, target: number, now: number): void {
    const seat = this.#free[this.#first[target]! + this.#busy[target]!]!
    this.#busy[target]!++
    this.#measure(target, now)
    this.#job[seat] = job
    this.#schedule(seat, job, this.#speed[target]!, now)
  }

  #leave(seat: number, target: number, now: number): void {
    this.#busy[target]!--
    this.#measure(target, now)
    this.#free[this.#first[target]! + this.#busy[target]!] = seat
    this.#job[seat] = -1
    this.#stamp[seat]!++
  }

  /** Who stands still does no work. */
  #measure(target: number, now: number): void {
    this.#meter.set(target, this.#speed[target] === 0 ? 0 : this.#busy[target]!, now)
  }

  #schedule(seat: number, job: number, speed: number, now: number): void {
    const stamp = ++this.#stamp[seat]!
    if (speed === 0) return
    this.#due[seat] = now + this.#jobs.work[job]! / speed
    this.#agenda.add(this.#due[seat]!, this.#kind, seat, stamp)
  }

  /** Begins the first in line that somebody still waits for. */
  #call(target: number, now: number): void {
    while (this.#head[target] !== -1) {
      const job = this.#head[target]!
      this.#head[target] = this.#jobs.next[job]!
      if (this.#head[target] === -1) this.#tail[target] = -1
      if (this.#jobs.givenUp[job] === 0) {
        this.#begin(job, target, now)
        return
      }
      this.present[target]!--
      this.#dropped(job)
    }
  }
}
