/** Beyond this the clock was set, or the machine was asleep, in milliseconds. */
const SET = 1000

/**
 * When the monotonic clock was 0, in milliseconds since 1970. Both clocks are read one after the other and one by whole
 * milliseconds, so each reading says something else; Prometheus takes an exemplar whose time wobbles for another one,
 * or for one out of order. So the first reading holds until it is off by more than a second.
 */
export class Epoch {
  #ms = Number.NaN

  at(wallMs: number, monotonicMs: number): number {
    const read = wallMs - monotonicMs
    if (!(Math.abs(read - this.#ms) <= SET)) this.#ms = read
    return this.#ms
  }
}
