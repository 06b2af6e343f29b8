/** What a limit says of a request. */
export interface Reading {
  /** There is room for it. */
  fits: boolean
  /** How many requests of cost 1 there is room for. */
  remaining: number
  /** Microseconds until there would be room for it, if nothing else came: 0 if there is now, Infinity if never. */
  wait: number
  /** Microseconds until all is as if no request had ever come. */
  reset: number
}

/**
 * A way of counting. The state of a key is a few numbers in a row somewhere in an array, all 0 for a key that was
 * never seen. Times are whole microseconds of any clock. All numbers are whole and below 2^53, so that every sum is
 * exact, here as in Redis, whose numbers are the same.
 */
export interface Algorithm {
  readonly kind: 'gcra' | 'sliding-window'
  /** Numbers per key. */
  readonly width: number
  /** The largest cost that can ever fit. */
  readonly capacity: number
  /** What the script in Redis is told of it: four numbers. */
  readonly parameters: readonly [number, number, number, number]
  /** Reads the state; a cost of 0 always fits. Nothing of what `charge` did is lost by it. */
  look(states: Float64Array, at: number, cost: number, now: number, reading: Reading): void
  /** Takes the cost; without room the state is full, and never more than that. */
  charge(states: Float64Array, at: number, cost: number, now: number): void
  /** Whether the state is as if no request had ever come, and the key can be forgotten. */
  idle(states: Float64Array, at: number, now: number): boolean
}
