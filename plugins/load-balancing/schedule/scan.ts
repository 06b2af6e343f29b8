/**
 * nginx's smooth weighted round robin (ngx_http_upstream_get_peer): each pick adds its weight to every credit, takes
 * the largest, and subtracts the total from it. Weights 5, 1, 1 give A A B A C A A. O(N) a pick: for few.
 */
export class Scan {
  readonly #weights: Float64Array
  readonly #total: number
  readonly #credit: Float64Array

  /** @param owed of its next pick that each has earned; nginx begins at a half. A weight of 0 is never picked. */
  constructor(weights: Float64Array, total: number, owed: Float64Array) {
    this.#weights = weights
    this.#total = total
    this.#credit = weights.map((weight, i) =>
      weight === 0 ? Number.NEGATIVE_INFINITY : ((owed[i] as number) - 0.5) * total,
    )
  }

  next(): number {
    const weights = this.#weights
    const credit = this.#credit
    let best = 0
    for (let i = 0; i < weights.length; i++) {
      credit[i] = (credit[i] as number) + (weights[i] as number)
      if ((credit[i] as number) > (credit[best] as number)) best = i
    }
    credit[best] = (credit[best] as number) - this.#total
    return best
  }

  owed(i: number): number {
    const credit = this.#credit[i] as number
    return credit === Number.NEGATIVE_INFINITY ? 0.5 : credit / this.#total + 0.5
  }
}
