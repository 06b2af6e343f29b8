import type { Algorithm } from './algorithm.ts'
import { KeyTable } from './key-table.ts'
import type { KeyedHash } from './keyed-hash.ts'
import { type Claim, type Limit, refuses } from './limit.ts'

/** Counts in this process. */
export class LocalStore {
  readonly #tables: readonly KeyTable[]
  readonly #algorithms: readonly Algorithm[]

  /**
   * @param algorithmOf what each limit counts with; a request that costs more than fits into it, but not more than fits
   * into the limit, takes all of it
   * @param maxKeys for each limit
   */
  constructor(
    limits: readonly Limit[],
    algorithmOf: (limit: Limit) => Algorithm,
    hash: KeyedHash,
    maxKeys: number,
  ) {
    this.#algorithms = limits.map(algorithmOf)
    this.#tables = limits.map(
      ({ rule }, i) => new KeyTable(this.#algorithms[i] as Algorithm, hash, rule.by === 'all' ? 1 : maxKeys),
    )
  }

  /**
   * Whether a request may pass. It is charged to all its limits or, if one refuses, to none.
   * @param now microseconds, whole
   */
  decide(claims: readonly Claim[], now: number): boolean {
    let allowed = true
    for (const claim of claims) {
      claim.place = this.#tableOf(claim).look(claim.key, this.#costOf(claim), now, claim)
      if (refuses(claim)) allowed = false
    }
    if (!allowed) return false
    for (const claim of claims) {
      const cost = this.#costOf(claim)
      if (!claim.fits || cost === 0) continue
      this.#tableOf(claim).charge(claim.place, cost, now, claim)
      claim.fits = true
    }
    return true
  }

  /** Bytes of all tables. */
  get bytes(): number {
    return this.#tables.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Requests so far for which there was no place of their own. */
  strangers({ index }: Limit): number {
    return (this.#tables[index] as KeyTable).strangers
  }

  #tableOf({ limit }: Claim): KeyTable {
    return this.#tables[limit.index] as KeyTable
  }

  #costOf({ cost, limit }: Claim): number {
    const own = (this.#algorithms[limit.index] as Algorithm).capacity
    return cost > own && cost <= limit.algorithm.capacity ? own : cost
  }
}
