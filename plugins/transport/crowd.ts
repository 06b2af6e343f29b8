import { type Placed, put, take } from './placed.ts'

/** A client that may be what a connection to a target waits for: it takes its answer, or sends its body, slowly. */
export interface Laggard extends Placed {
  /** Bytes a second that the client moves; Infinity while it is not the client that is waited for, or not for long. */
  pace(now: number): number
  /** Its request ends, and its connection to the target goes to another. */
  giveWay(): void
}

/** How long a client is watched before its pace says anything, in milliseconds. */
export const WATCHED_FOR = 500
const EVERY = 100

/**
 * The requests to one target. While some of them wait for a connection, clients that keep one by being slower than
 * `minRate` give way, the slowest first: a few hundred clients that read a byte a second could otherwise take every
 * connection there is, and keep everybody else out for as long as they like. While there is room, a client may be as
 * slow as it is.
 */
export class Crowd {
  readonly #minRate: number
  readonly #waiting: () => number
  readonly #gaveWay: () => void
  readonly #laggards: Laggard[] = []
  #timer: NodeJS.Timeout | undefined

  /**
   * @param minRate bytes a second; 0: nobody gives way
   * @param waiting how many requests wait for a connection now
   * @param gaveWay hears of each that has
   */
  constructor(minRate: number, waiting: () => number, gaveWay: () => void) {
    this.#minRate = minRate
    this.#waiting = waiting
    this.#gaveWay = gaveWay
  }

  add(one: Laggard): void {
    if (this.#minRate === 0 || one.place !== -1) return
    put(this.#laggards, one)
    if (this.#timer === undefined && this.#waiting() > 0) this.requestWaits()
  }

  remove(one: Laggard): void {
    take(this.#laggards, one)
  }

  /** A request has found all connections taken. */
  requestWaits(): void {
    if (this.#laggards.length > 0) this.#timer ??= setInterval(this.#look, EVERY).unref()
  }

  readonly #look = (): void => {
    const waiting = this.#waiting()
    if (waiting === 0 || this.#laggards.length === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const now = performance.now()
    const slow = this.#laggards
      .map((laggard) => ({ laggard, pace: laggard.pace(now) }))
      .filter(({ pace }) => pace < this.#minRate)
      .sort((a, b) => a.pace - b.pace)
    for (const { laggard } of slow.slice(0, waiting)) {
      this.#gaveWay()
      laggard.giveWay()
    }
  }
}
