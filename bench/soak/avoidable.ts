import type { Ending } from './ledger.ts'

/** A target of the config was not well or not there; times in ms of the clock of the endings. */
export interface Trouble {
  readonly target: number
  readonly from: number
  readonly to: number
}

/** A target counts as well only after this (ms): a breaker of soak.config.ts may be open for 6 s, and has to close. */
export const wellAfterMs = 8000

/**
 * Of failed requests those for which a target was there that had been well for a while, and still was at their end.
 * @param targets how many there are; those with higher numbers are not counted on
 */
export function avoidable(
  failed: readonly Ending[],
  troubles: readonly Trouble[],
  targets: number,
): Ending[] {
  return failed.filter(({ at, end }) => {
    const touched = troubles.filter(
      ({ target, from, to }) => target < targets && from <= end && to >= at - wellAfterMs,
    )
    return new Set(touched.map(({ target }) => target)).size < targets
  })
}
