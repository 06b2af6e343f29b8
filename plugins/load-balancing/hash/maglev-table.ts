import type { Candidates, Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'
import { type LookupTable, weightsOf } from './lookup-table.ts'

/** So many tables are kept for sets of targets that come back, as they do when one of them flaps. */
const KEPT = 4
/** Under these the two numbers of a permutation are independent. */
const OFFSET_SEED = 0x85ebca77
const SKIP_SEED = 0x27d4eb2f

interface Built {
  readonly members: readonly Target[]
  readonly weights: readonly number[]
  readonly owners: Uint32Array | Uint16Array
}

/**
 * Maglev's lookup table (Eisenbud et al., "Maglev: A fast and reliable software network load balancer", NSDI 2016,
 * section 3.4): each target has a permutation of the entries, (offset + j x skip) mod M, and in turn takes the next
 * entry in it that is free. Its shares are exact to an entry, and it moves few keys besides those of who left.
 *
 * Weighted: a target of half the weight has half as many turns; turn k is due in round floor(k x heaviest / weight),
 * so that each has one entry at least, as long as there is one for each.
 *
 * Finding an entry is O(1). Building is O(M log M + N log N), from the set of targets and nothing else.
 */
export class MaglevTable implements LookupTable {
  owners: Uint32Array | Uint16Array = new Uint16Array(0)
  members: readonly Target[] = []
  weights: readonly number[] = []
  readonly #size: number
  #kept: Built[] = []

  /** @param size a prime */
  constructor(size: number) {
    this.#size = size
  }

  update(candidates: Candidates): void {
    const all = weightsOf(candidates)
    const order = Array.from(candidates, (target, i) => ({ target, weight: all[i] as number }))
      // The smaller id first, so that the order of the candidates does not matter.
      .sort((a, b) => (a.target.id < b.target.id ? -1 : 1))
    const members = order.map(({ target }) => target)
    const weights = order.map(({ weight }) => weight)
    const same = (a: readonly unknown[], b: readonly unknown[]) =>
      a.length === b.length && a.every((one, i) => one === b[i])
    const kept = this.#kept.find((one) => same(one.members, members) && same(one.weights, weights))
    const built = kept ?? { members, weights, owners: this.#build(members, weights) }
    this.#kept = [built, ...this.#kept.filter((one) => one !== kept)].slice(0, KEPT)
    this.members = members
    this.weights = weights
    this.owners = built.owners
  }

  entry(hash: number): number {
    return hash % this.#size
  }

  #build(members: readonly Target[], weights: readonly number[]): Uint32Array | Uint16Array {
    const size = this.#size
    const offsets = members.map(({ id }) => murmur3(id, OFFSET_SEED) % size)
    const skips = members.map(({ id }) => 1 + (murmur3(id, SKIP_SEED) % (size - 1)))
    return fillTable(size, offsets, skips, weights)
  }
}

/** "Populate" of the paper, with turns by weight: whose each entry is. */
export function fillTable(
  size: number,
  offsets: readonly number[],
  skips: readonly number[],
  weights: readonly number[],
): Uint32Array | Uint16Array {
  const n = weights.length
  const owners = n <= 2 ** 16 ? new Uint16Array(size) : new Uint32Array(size)
  const taken = new Uint8Array(size)
  const next = Uint32Array.from(offsets)
  const had = new Uint32Array(n)
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0)
  const turns = new Turns(size, n)
  for (let i = 0; i < n; i++) if ((weights[i] as number) > 0) turns.add(0, i)
  for (let filled = 0; filled < size; filled++) {
    const i = turns.take()
    const skip = skips[i] as number
    let entry = next[i] as number
    while (taken[entry] === 1) entry = (entry + skip) % size
    taken[entry] = 1
    owners[entry] = i
    next[i] = (entry + skip) % size
    const turn = (had[i] as number) + 1
    had[i] = turn
    turns.add(Math.floor((turn * heaviest) / (weights[i] as number)), i)
  }
  return owners
}

/** Who has a turn in which round: first come, first served within a round. O(1) each. */
class Turns {
  readonly #first: Int32Array
  readonly #last: Int32Array
  readonly #after: Int32Array
  #round = 0

  constructor(rounds: number, members: number) {
    this.#first = new Int32Array(rounds).fill(-1)
    this.#last = new Int32Array(rounds).fill(-1)
    this.#after = new Int32Array(members)
  }

  /** A round that is never reached (there are no more than entries) is left out. */
  add(round: number, member: number): void {
    if (round >= this.#first.length) return
    this.#after[member] = -1
    if (this.#first[round] === -1) this.#first[round] = member
    else this.#after[this.#last[round] as number] = member
    this.#last[round] = member
  }

  take(): number {
    while (this.#first[this.#round] === -1) this.#round++
    const member = this.#first[this.#round] as number
    this.#first[this.#round] = this.#after[member] as number
    return member
  }
}
