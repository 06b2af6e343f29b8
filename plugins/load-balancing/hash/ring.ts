import type { Candidates, Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'
import { type LookupTable, weightsOf } from './lookup-table.ts'

/** Points of a whole ring, at most: so many are made in 0.4 s, and merged in 70 ms when a target goes. */
const MOST_POINTS = 2 ** 21
/** Units that the heaviest target may count, at most. */
const MOST_UNITS = 1024
/** A point packed with its owner into a double: 32 + 20 bits are below its 53. */
const OWNERS = 2 ** 20

interface Member {
  readonly index: number
  readonly count: number
}

/**
 * The ring of consistent hashing (Karger et al., STOC 1997), as ketama has it: so many points for each unit of
 * weight. Point i of a target is the hash of its id under seed i. A target's points depend on no other target, so
 * one that leaves takes its own keys along and moves no other, and one that comes only takes keys for itself.
 *
 * Weights count as they are, so that 1 is `points` points; they are scaled, by a power of 2, only where all are below 1,
 * the heaviest is above 1024, or the ring would outgrow 2 million points. The scale follows from the weights of those
 * that are there and from nothing before: where one that comes or goes changes it, others' keys move as well. Each has
 * one point at least.
 *
 * Finding a point is O(log P) at worst and O(1) as a rule: buckets by the hash's upper bits, bisection within.
 * A change is O(P), and O(p log p) for the p points of those who came.
 */
export class Ring implements LookupTable {
  owners = new Uint32Array(0)
  readonly members: (Target | undefined)[] = []
  readonly weights: number[] = []
  readonly #points: number
  #hashes = new Uint32Array(0)
  #buckets = new Uint32Array(2)
  #shift = 31
  #known = new Map<Target, Member>()

  /** @param points for each unit of weight */
  constructor(points: number) {
    this.#points = points
  }

  update(candidates: Candidates): void {
    const weights = weightsOf(candidates)
    const counts = this.#counts(weights)
    const stay = new Map<Target, Member>()
    const come: number[] = []
    for (const [i, target] of candidates.entries()) {
      const known = this.#known.get(target)
      if (known !== undefined && known.count === counts[i]) stay.set(target, known)
      else come.push(i)
    }
    const changed = come.length > 0 || stay.size < this.#known.size
    for (const [target, { index }] of this.#known) {
      if (stay.has(target)) continue
      this.members[index] = undefined
      this.weights[index] = 0
    }
    this.#known = stay
    let free = 0
    for (const i of come) {
      while (this.members[free] !== undefined) free++
      this.members[free] = candidates[i] as Target
      this.#known.set(candidates[i] as Target, { index: free, count: counts[i] as number })
    }
    for (const [i, target] of candidates.entries()) {
      this.weights[(this.#known.get(target) as Member).index] = weights[i] as number
    }
    if (changed) this.#merge(come.map((i) => this.#known.get(candidates[i] as Target) as Member))
  }

  entry(hash: number): number {
    const bucket = hash >>> this.#shift
    let low = this.#buckets[bucket] as number
    let high = this.#buckets[bucket + 1] as number
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#hashes[middle] as number) < hash) low = middle + 1
      else high = middle
    }
    return low === this.#hashes.length ? 0 : low
  }

  #counts(weights: readonly number[]): number[] {
    let sum = 0
    let heaviest = 0
    for (const weight of weights) {
      sum += weight
      heaviest = Math.max(heaviest, weight)
    }
    let scale = 1
    while (heaviest * scale < 1) scale *= 2
    while (heaviest * scale > MOST_UNITS) scale /= 2
    while (sum * scale * this.#points > MOST_POINTS) scale /= 2
    return weights.map((weight) =>
      weight === 0 ? 0 : Math.max(1, Math.round(weight * scale * this.#points)),
    )
  }

  /** What stays, in its order, and what comes, sorted in. */
  #merge(come: readonly Member[]): void {
    const added = this.#pointsOf(come)
    const keeps = Uint8Array.from(this.members, (target) => (target === undefined ? 0 : 1))
    for (const { index } of come) keeps[index] = 0
    let total = 0
    for (const { count } of this.#known.values()) total += count
    const [oldHashes, oldOwners] = [this.#hashes, this.owners]
    const hashes = new Uint32Array(total)
    const owners = new Uint32Array(total)
    let old = 0
    let next = 0
    let ties = false
    for (let at = 0; at < total; at++) {
      while (old < oldOwners.length && keeps[oldOwners[old] as number] === 0) old++
      const point = next < added.length ? (added[next] as number) : Number.POSITIVE_INFINITY
      if (old < oldOwners.length && (oldHashes[old] as number) * OWNERS <= point) {
        hashes[at] = oldHashes[old] as number
        owners[at] = oldOwners[old++] as number
      } else {
        hashes[at] = point / OWNERS
        owners[at] = point % OWNERS
        next++
      }
      ties ||= at > 0 && hashes[at] === hashes[at - 1]
    }
    this.#hashes = hashes
    this.owners = owners
    if (ties) this.#settleTies()
    this.#index()
  }

  /** In their order, each packed with its owner. */
  #pointsOf(come: readonly Member[]): Float64Array {
    const packed = new Float64Array(come.reduce((sum, { count }) => sum + count, 0))
    let next = 0
    for (const { index, count } of come) {
      const { id } = this.members[index] as Target
      for (let i = 0; i < count; i++) packed[next++] = murmur3(id, i) * OWNERS + index
    }
    return packed.sort()
  }

  /** Points in the same place stand in the order of ids, so that a ring does not depend on how it came about. */
  #settleTies(): void {
    const { owners } = this
    const hashes = this.#hashes
    const id = (at: number): string => (this.members[owners[at] as number] as Target).id
    for (let i = 1; i < owners.length; i++) {
      for (let at = i; at > 0 && hashes[at] === hashes[at - 1] && id(at) < id(at - 1); at--) {
        const owner = owners[at] as number
        owners[at] = owners[at - 1] as number
        owners[at - 1] = owner
      }
    }
  }

  #index(): void {
    const hashes = this.#hashes
    const bits = Math.max(1, Math.ceil(Math.log2(hashes.length)))
    const shift = 32 - bits
    const buckets = new Uint32Array(2 ** bits + 1)
    let at = 0
    for (let bucket = 0; bucket < 2 ** bits; bucket++) {
      while (at < hashes.length && (hashes[at] as number) >>> shift < bucket) at++
      buckets[bucket] = at
    }
    buckets[2 ** bits] = hashes.length
    this.#shift = shift
    this.#buckets = buckets
  }
}
