import type { Balancer, Candidates, PolicyContext, Target } from '../../upstreams/contract.ts'
import { InflightLoad } from '../load/inflight.ts'
import { Slots } from '../load/slots.ts'
import { Sampler } from '../sample/sampler.ts'

export interface LeastRequestsOptions {
  readonly choices: number
  /** Undefined: up to `FEW` targets are all compared. */
  readonly fullScan?: boolean
  readonly bias: number
}

/** Up to so many targets looking at all of them costs no more than drawing some. */
const FEW = 8

/**
 * Fewest requests under way, of a few targets drawn at random, or of all where they are few (Envoy's least request:
 * two choices, weight / (active + 1)^bias).
 *
 * - All weights alike: the one with fewest.
 * - Else: drawn by weight, and the largest weight / (active + 1)^bias among them. Those with nothing to do are all
 *   alike (as HAProxy's leastconn has it), so that without load the weights keep their proportions; by the formula the
 *   heaviest would be sent everything. Envoy keeps all targets in one queue by that formula, O(log N) a pick, whose
 *   figures are as old as each target's last turn.
 * - Of those that are equal the one drawn first is taken.
 * - Failures count as requests under way for a while: see `Failures`.
 *
 * O(choices) a pick, O(N) with `fullScan` and when targets change.
 */
export function leastRequests(
  { now, random }: PolicyContext,
  { choices, fullScan, bias }: LeastRequestsOptions,
): Balancer {
  const slots = new Slots()
  const sampler = new Sampler(random)
  const load = new InflightLoad()

  function onTargets(candidates: Candidates): void {
    load.onTargets(candidates, slots.assign(candidates))
    sampler.onTargets(candidates)
  }

  /** Less is better: (active + 1)^bias / weight. */
  function score(i: number, target: Target, at: number): number {
    const active = load.plain ? target.inflight : load.active(i, target, at)
    if (active === 0) return 0
    return (bias === 1 ? active + 1 : (active + 1) ** bias) * sampler.perWeight(i)
  }

  function ofAll(candidates: Candidates, at: number): Target {
    const n = candidates.length
    const first = sampler.draw()
    let best = candidates[first] as Target
    let least = score(first, best, at)
    for (let step = 1; step < n && least > 0; step++) {
      const i = first + step < n ? first + step : first + step - n
      const target = candidates[i] as Target
      const its = target.weight === 0 && best.weight > 0 ? Number.POSITIVE_INFINITY : score(i, target, at)
      if (its >= least) continue
      best = target
      least = its
    }
    return best
  }

  function ofSome(candidates: Candidates, at: number): Target {
    const first = sampler.draw()
    let best = candidates[first] as Target
    let least = score(first, best, at)
    for (let drawn = 1; drawn < choices && least > 0; drawn++) {
      const i = sampler.drawOther(first)
      const target = candidates[i] as Target
      const its = score(i, target, at)
      if (its >= least) continue
      best = target
      least = its
    }
    return best
  }

  return {
    onTargets,
    pick(candidates) {
      if (candidates.length !== sampler.size) onTargets(candidates)
      const at = load.plain ? 0 : now()
      return (fullScan ?? candidates.length <= FEW) ? ofAll(candidates, at) : ofSome(candidates, at)
    },
    onOutcome(target, outcome) {
      const i = slots.of(target)
      if (i >= 0) load.onOutcome(i, outcome, now())
    },
  }
}
