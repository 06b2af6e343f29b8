import type { Target } from '../../upstreams/contract.ts'

/**
 * Answers of targets to probes, each used a few times and for a short while ("Load is not what you should balance:
 * Introducing Prequal", Wydrowski et al., NSDI 2024, section 4). At most one a target: the latest.
 *
 * O(size of the pool) for everything, which is a constant; without allocation.
 */
export class ProbePool {
  readonly #targets: (Target | undefined)[]
  readonly #numbers: Int32Array
  readonly #rif: Float64Array
  readonly #latency: Float64Array
  readonly #at: Float64Array
  readonly #uses: Float64Array
  #size = 0
  #limit: number

  /** @param capacity answers that are held, at most */
  constructor(capacity: number) {
    this.#limit = capacity
    this.#targets = new Array<Target | undefined>(capacity).fill(undefined)
    this.#numbers = new Int32Array(capacity)
    this.#rif = new Float64Array(capacity)
    this.#latency = new Float64Array(capacity)
    this.#at = new Float64Array(capacity)
    this.#uses = new Float64Array(capacity)
  }

  /** Holds no more than this from now on, nor than its capacity. */
  limit(answers: number): void {
    this.#limit = Math.min(answers, this.#targets.length)
    while (this.#size > this.#limit) this.removeOldest()
  }

  get size(): number {
    return this.#size
  }

  /** The target of this answer, as `number` of the candidates. */
  number(entry: number): number {
    return this.#numbers[entry] as number
  }

  /** Milliseconds. */
  latency(entry: number): number {
    return this.#latency[entry] as number
  }

  target(entry: number): Target {
    return this.#targets[entry] as Target
  }

  /**
   * Takes in an answer. The oldest gives way if there is no room.
   * @param rif requests in flight, by weight
   * @param uses how often it may be used
   */
  add(target: Target, number: number, rif: number, latency: number, now: number, uses: number): void {
    this.forget(target)
    if (this.#size === this.#limit) this.remove(this.#oldest())
    const entry = this.#size++
    this.#targets[entry] = target
    this.#numbers[entry] = number
    this.#rif[entry] = rif
    this.#latency[entry] = latency
    this.#at[entry] = now
    this.#uses[entry] = uses
  }

  /** Removes answers from before this time. */
  expire(before: number): void {
    for (let entry = this.#size - 1; entry >= 0; entry--) {
      if ((this.#at[entry] as number) < before) this.remove(entry)
    }
  }

  forget(target: Target): void {
    for (let entry = 0; entry < this.#size; entry++) {
      if (this.#targets[entry] === target) {
        this.remove(entry)
        return
      }
    }
  }

  /** Targets have new numbers; below 0 are those that have gone. */
  renumber(numberOf: (target: Target) => number): void {
    for (let entry = this.#size - 1; entry >= 0; entry--) {
      const number = numberOf(this.target(entry))
      if (number < 0) this.remove(entry)
      else this.#numbers[entry] = number
    }
  }

  /** The cold answer of lowest latency or, if all are hot, the one with the fewest requests in flight. */
  best(hotAbove: number): number {
    let cold = -1
    let fewest = 0
    for (let entry = 0; entry < this.#size; entry++) {
      const rif = this.#rif[entry] as number
      if (rif < (this.#rif[fewest] as number)) fewest = entry
      if (rif > hotAbove) continue
      if (cold === -1 || (this.#latency[entry] as number) < (this.#latency[cold] as number)) cold = entry
    }
    return cold === -1 ? fewest : cold
  }

  /**
   * A request is sent by this answer: its target has one more in flight, and the answer one use less.
   * @param counts what the request counts as in flight, by weight
   */
  use(entry: number, counts: number): void {
    this.#rif[entry] = (this.#rif[entry] as number) + counts
    this.#uses[entry] = (this.#uses[entry] as number) - 1
    if ((this.#uses[entry] as number) < 1) this.remove(entry)
  }

  /** Removes the hot answer with most requests in flight or, if none is hot, the one of highest latency. */
  removeWorst(hotAbove: number): void {
    if (this.#size === 0) return
    let hot = -1
    let slowest = 0
    for (let entry = 0; entry < this.#size; entry++) {
      const rif = this.#rif[entry] as number
      if (rif > hotAbove && (hot === -1 || rif > (this.#rif[hot] as number))) hot = entry
      if ((this.#latency[entry] as number) > (this.#latency[slowest] as number)) slowest = entry
    }
    this.remove(hot === -1 ? slowest : hot)
  }

  removeOldest(): void {
    if (this.#size > 0) this.remove(this.#oldest())
  }

  remove(entry: number): void {
    const last = --this.#size
    this.#targets[entry] = this.#targets[last]
    this.#targets[last] = undefined
    this.#numbers[entry] = this.#numbers[last] as number
    this.#rif[entry] = this.#rif[last] as number
    this.#latency[entry] = this.#latency[last] as number
    this.#at[entry] = this.#at[last] as number
    this.#uses[entry] = this.#uses[last] as number
  }

  #oldest(): number {
    let oldest = 0
    for (let entry = 1; entry < this.#size; entry++) {
      if ((this.#at[entry] as number) < (this.#at[oldest] as number)) oldest = entry
    }
    return oldest
  }
}
