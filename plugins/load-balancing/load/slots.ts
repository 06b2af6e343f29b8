import type { Candidates, Target } from '../../upstreams/contract.ts'

/**
 * Numbers the candidates, so that what is known of each can stand in typed arrays: compact, and read without a
 * look-up while a target is picked. Who is no candidate any more is forgotten, and comes back as a stranger.
 */
export class Slots {
  #numbers = new Map<Target, number>()

  /** -1 if it is none. O(1). */
  of(target: Target): number {
    return this.#numbers.get(target) ?? -1
  }

  /** The candidates have changed. O(N). Returns for each its number so far, -1 for who is new. */
  assign(candidates: Candidates): Int32Array {
    const numbers = new Map<Target, number>()
    const from = new Int32Array(candidates.length)
    for (let i = 0; i < candidates.length; i++) {
      const target = candidates[i] as Target
      from[i] = this.of(target)
      numbers.set(target, i)
    }
    this.#numbers = numbers
    return from
  }
}

type Numbers = Float64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>

/** `values` by the new numbers; `fresh` for who is new. */
export function carried<A extends Numbers>(values: A, from: Int32Array, fresh = 0): A {
  const result = new (values.constructor as new (length: number) => A)(from.length)
  for (let i = 0; i < from.length; i++) {
    const before = from[i] as number
    result[i] = before < 0 ? fresh : (values[before] as number)
  }
  return result
}

/** As `carried`, for all figures that are kept of each; `fresh` has for each figure what it is for who is new. */
export function carriedFigures<K extends string>(
  figures: Readonly<Record<K, Float64Array<ArrayBuffer>>> | undefined,
  from: Int32Array,
  fresh: Readonly<Record<K, number>>,
): Record<K, Float64Array<ArrayBuffer>> {
  const none = new Float64Array(0)
  const entries = Object.entries<number>(fresh).map(([name, value]) => [
    name,
    carried(figures?.[name as K] ?? none, from, value),
  ])
  return Object.fromEntries(entries)
}
