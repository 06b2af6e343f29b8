import type { Reading } from './algorithm.ts'
import { KeyTable } from './key-table.ts'
import type { KeyedHash } from './keyed-hash.ts'
import { PARTS, SlidingWindow } from './sliding-window.ts'

type Done = (error: Error | null, result: { current: number; ttl: number }) => void

/**
 * A store of @fastify/rate-limit for endpoints that set its own options: a sliding window in place of its fixed one, in
 * a table that cannot be flushed in place of its LRU. Counts in this process.
 */
export class EndpointStore {
  readonly #hash: KeyedHash
  readonly #maxKeys: number
  readonly #now: () => number
  /** By `max` and window, which may differ from request to request. */
  readonly #tables = new Map<string, KeyTable>()
  readonly #reading: Reading = { fits: false, remaining: 0, wait: 0, reset: 0 }

  /** @param now microseconds, whole */
  constructor(hash: KeyedHash, maxKeys: number, now: () => number) {
    this.#hash = hash
    this.#maxKeys = maxKeys
    this.#now = now
  }

  /** @param timeWindow milliseconds */
  incr(key: string, done: Done, timeWindow: number, max: number): void {
    const { reading, table } = this.#look(key, 1, timeWindow, max)
    if (!reading.fits) {
      done(null, { current: max + 1, ttl: Math.ceil(Math.min(reading.wait / 1000, timeWindow)) })
      return
    }
    table.charge(table.look(key, 1, this.#now(), reading), 1, this.#now(), reading)
    done(null, { current: max - reading.remaining, ttl: Math.ceil(reading.reset / 1000) })
  }

  /** The same, and nothing is charged. */
  read(key: string, done: Done, timeWindow: number, max: number): void {
    const { reading } = this.#look(key, 0, timeWindow, max)
    done(null, { current: max - reading.remaining, ttl: Math.ceil(reading.reset / 1000) })
  }

  #look(key: string, cost: number, timeWindow: number, max: number) {
    const id = `${max}/${timeWindow}`
    let table = this.#tables.get(id)
    if (table === undefined) {
      table = new KeyTable(
        new SlidingWindow(max, Math.max(timeWindow, PARTS / 1000)),
        this.#hash,
        this.#maxKeys,
      )
      this.#tables.set(id, table)
    }
    const reading = this.#reading
    table.look(key, cost, this.#now(), reading)
    return { reading, table }
  }
}
