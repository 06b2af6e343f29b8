import type { Balancer, Candidates, Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'

export interface SubsetOptions {
  /** Targets that one gateway uses, at least. */
  readonly size: number
  /** Which of the gateways this is. */
  readonly instance: number | string
}

/**
 * The targets that one gateway of many uses: deterministic subsetting of Google's SRE book (chapter 20, "Load
 * Balancing in the Datacenter"). Gateways are numbered from 0. As many as there are subsets make a round, and in each
 * round every target is in exactly one subset; each round shuffles anew. So with numbers that follow one another,
 * targets differ by one in how many gateways use them.
 *
 * Two things are unlike the book. The shuffle is by the hash of each target's id, and the number of subsets goes by
 * the targets there are and not by those that are well: one that leaves or is ejected changes a target or two of each
 * subset, and no more. And what is left over after division is spread over the subsets of the round, which so hold
 * `size` targets or a few more.
 *
 * @param known how many targets there are, eligible or not
 */
export function subsetOf<T extends { readonly id: string }>(
  eligible: readonly T[],
  { size, instance }: SubsetOptions,
  known: number,
): readonly T[] {
  const subsets = Math.floor(Math.max(known, eligible.length) / size)
  if (subsets <= 1) return eligible
  const number = typeof instance === 'number' ? instance : murmur3(instance)
  const round = Math.floor(number / subsets)
  const place = number % subsets
  const shuffled = Array.from(eligible, (target) => ({ target, at: murmur3(target.id, round) }))
    .sort((a, b) => a.at - b.at || (a.target.id < b.target.id ? -1 : 1))
    .map(({ target }) => target)
  const upTo = (subset: number): number => Math.floor((subset * eligible.length) / subsets)
  const chosen = shuffled.slice(upTo(place), upTo(place + 1))
  // With few left a subset may be empty: better all of them than none.
  return chosen.length === 0 ? eligible : chosen
}

/**
 * Uses a subset of the targets only, so that very many gateways and targets need not all be connected.
 *
 * A pick costs the policy's own, O(N log N) when targets change.
 *
 * @param known all targets of the upstream, eligible or not
 */
export function withSubset(
  inner: Balancer,
  options: SubsetOptions,
  known: () => readonly Target[],
): Balancer {
  let told: Candidates | undefined
  let list: Candidates | undefined

  function onTargets(candidates: Candidates): void {
    told = candidates
    const { tier } = candidates[0]
    const all = known().reduce((count, target) => count + (target.tier === tier ? 1 : 0), 0)
    list = subsetOf(candidates, options, all) as Candidates
    inner.onTargets?.(list)
  }

  return {
    onTargets,
    pick(candidates, request) {
      if (candidates !== told || list === undefined) onTargets(candidates)
      return inner.pick(list ?? candidates, request)
    },
    onOutcome: (target, outcome) => inner.onOutcome?.(target, outcome),
  }
}
