/** How long targets were waited for, in milliseconds. Time in which several are counts once. */
export class Waiting {
  total = 0
  #since = -1

  from(now: number): void {
    if (this.#since === -1) this.#since = now
  }

  until(now: number): void {
    if (this.#since !== -1) this.total += Math.max(0, now - this.#since)
    this.#since = -1
  }
}
