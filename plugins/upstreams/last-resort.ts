import type { Admission } from './admission.ts'
import { cheapest } from './cheapest.ts'
import type { LeaseRequest } from './contract.ts'
import type { HealthSource } from './health-source.ts'
import { vetoOn } from './snapshot.ts'
import type { TargetState } from './target.ts'

/** Those that are only believed to fail, and are no candidates for it. */
export function believedDown(
  targets: readonly TargetState[],
  sources: readonly HealthSource[],
): TargetState[] {
  return targets.filter((target) => target.standing === 'missing' && vetoOn(target, sources) === 'unhealthy')
}

/**
 * For a request that has failed or waits in vain at all candidates: one of the others, rather than the same once more or
 * an error. The belief may be out of date, and what the request has met with is not. Where fewest wait: it may be frozen.
 */
export function lastResort(
  down: readonly TargetState[],
  request: LeaseRequest,
  admission: Admission,
  random: () => number,
): TargetState | undefined {
  const costOf = (target: TargetState): number =>
    request.tried.has(target) || target.share === 0 || admission.full(target, request)
      ? Number.POSITIVE_INFINITY
      : target.waiting
  return cheapest(random, down, costOf, (target) => admission.admits(target, request))
}
