import { ERROR_RESULTS, type Traffic } from '../../upstreams/measures.ts'
import type { BucketCounts } from './bounds.ts'

/**
 * What came of a request. A status class, of which `1xx` is an upgrade that was agreed to; `aborted`, the client left
 * before it had all of the answer; `cut`, it did not get all of it because the target broke; `none`, it was there and
 * got nothing.
 */
export const RESULTS = ['none', '1xx', '2xx', '3xx', '4xx', '5xx', 'aborted', 'cut'] as const
export const ABORTED = RESULTS.indexOf('aborted')
export const CUT = RESULTS.indexOf('cut')
export const TUNNEL = RESULTS.indexOf('1xx')
const NONE = RESULTS.indexOf('none')
const ERRORS = RESULTS.map((result) => ERROR_RESULTS.includes(result))

/** Number of the result that a status is. */
export function resultOf(status: number): number {
  const result = Math.floor(status / 100)
  return result >= 1 && result <= 5 ? result : NONE
}

/** Whether it counts as an error: the gateway or what is behind it did not do its work. */
export function isError(result: number): boolean {
  return ERRORS[result] === true
}

/** Requests of a route or to an upstream, by what came of them and by how long they took. */
export class TrafficCounts implements Traffic {
  readonly results = new Float64Array(RESULTS.length)
  readonly durations: BucketCounts

  constructor(durations: BucketCounts) {
    this.durations = durations
  }

  get requests(): number {
    let requests = 0
    for (const count of this.results) requests += count
    return requests
  }

  get errors(): number {
    let errors = 0
    for (let i = 0; i < this.results.length; i++) if (isError(i)) errors += this.results[i] as number
    return errors
  }

  slowerThan(milliseconds: number): number {
    return this.durations.above(milliseconds)
  }

  /** Returns the number of the bucket that it counts in; -1 for a tunnel, which takes as long as it is wanted. */
  add(result: number, milliseconds: number): number {
    this.results[result] = (this.results[result] as number) + 1
    return result === TUNNEL ? -1 : this.durations.add(milliseconds)
  }
}
