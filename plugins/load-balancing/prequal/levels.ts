/** Levels of requests in flight: 0, 1, 2-3, 4-7 and so on; the last takes all above. */
export const LEVELS = 12

export function levelOf(rif: number): number {
  return Math.min(LEVELS - 1, 32 - Math.clz32(rif))
}

/**
 * What is known for `rif` requests in flight, 0 if nothing is. Of levels that nothing is known of, the next lower one
 * tells most.
 *
 * @param values one by level, from `first` on; 0 where nothing is known
 */
export function knownFor(values: Float64Array, first: number, rif: number): number {
  const at = first + levelOf(rif)
  let known = 0
  for (let level = at; level >= first && known === 0; level--) known = values[level] as number
  for (let level = at + 1; level < first + LEVELS && known === 0; level++) known = values[level] as number
  return known
}
