import { DeadlineError } from './errors.ts'

/** Until when an attempt waits, and for what. Times are monotonic milliseconds. */
export class Patience {
  /** Of what comes next; Infinity is none. */
  deadline = Number.POSITIVE_INFINITY
  /** When the target last sent something; 0 is never. */
  movedAt = 0
  /** An answer of unknown length is streamed from then on. */
  #gatherUntil = Number.POSITIVE_INFINITY
  #phase = 'a connection'
  readonly #idle: number

  /** @param idle milliseconds between two pieces of the answer; 0 is as long as it takes */
  constructor(idle: number) {
    this.#idle = idle
  }

  /** Gives `milliseconds` for what comes next; 0 is as long as it takes. */
  allow(milliseconds: number, phase: string, now: number): void {
    this.#phase = phase
    this.deadline = milliseconds === 0 ? Number.POSITIVE_INFINITY : now + milliseconds
  }

  /** The deadline is not before `time`. */
  extend(time: number): void {
    this.deadline = Math.max(this.deadline, time)
  }

  /** The target has sent something. */
  moved(at: number): void {
    this.movedAt = at
    this.allow(this.#idle, 'more of the response', at)
    this.deadline = Math.min(this.deadline, this.#gatherUntil)
  }

  /** The answer is gathered until then; Infinity from when on only the target's silence counts. */
  gatherUntil(time: number): void {
    this.#gatherUntil = time
    this.moved(this.movedAt)
  }

  gatheredLongEnough(now: number): boolean {
    return this.#gatherUntil <= now
  }

  /** What is to be said when the deadline has passed. */
  error(): DeadlineError {
    return new DeadlineError(this.#phase)
  }
}
