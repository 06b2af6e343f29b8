import type { Balancer, Candidates, PolicyContext, Target } from '../../upstreams/contract.ts'
import { InflightLoad } from '../load/inflight.ts'
import { Slots } from '../load/slots.ts'
import { Sampler } from '../sample/sampler.ts'

export interface LeastRequestsOptions {
  /** Undefined: two, or all of up to `FEW` targets. */
  readonly choices?: number
  /** Undefined: all of up to `FEW` targets, where `choices` is undefined as well. */
  readonly fullScan?: boolean
  readonly bias: number
}

/** Up to so many targets looking at all of them costs no more than drawing some. */
const FEW = 8

/**
 * Fewest requests under way, of a few targets drawn at random, or of all where they are few (after Envoy's least
 * request).
 *
 * - All weights alike: the one with fewest.
 * - Else a target is drawn by weight, and the request stays there unless another one has less to do for its weight, by
 *   active^bias / weight, and by more than the difference that one request makes to the one and to the other. So the
 *   weights keep their proportions where all are equally fast, however little there is to do: without that margin an idle
 *   target of little weight would take whatever comes while a heavy one has a single request. By Envoy's formula,
 *   weight / (active + 1)^bias, the heaviest would be sent everything then; Envoy keeps all targets in one queue by it,
 *   O(log N) a pick, whose figures are as old as each target's last turn.
 * - Of those that are equal it is one at random, by weight.
 * - Failures count as requests under way for a while: see `Failures`.
 *
 * O(choices) a pick, O(N) with `fullScan` and when targets change.
 *
 * @throws Error if both `choices` and `fullScan` are wanted
 */
export function leastRequests(
  { now, random }: PolicyContext,
  { choices, fullScan = choices === undefined ? undefined : false, bias }: LeastRequestsOptions,
): Balancer {
  if (fullScan === true && choices !== undefined)
    throw new Error('choices are not looked at with fullScan: true; leave one of them out')
  const slots = new Slots()
  const sampler = new Sampler(random)
  const load = new InflightLoad()

  function onTargets(candidates: Candidates): void {
    load.onTargets(slots.assign(candidates))
    sampler.onTargets(candidates)
  }

  /** Less is better; never below 0. */
  function cost(i: number, target: Target, at: number): number {
    const active = load.plain ? target.inflight : load.active(i, target, at)
    return (bias === 1 ? active : active ** bias) * sampler.perWeight(i)
  }

  function ofAll(candidates: Candidates, at: number): Target {
    const first = sampler.draw()
    let best = candidates[first] as Target
    const enough = cost(first, best, at)
    let least = enough
    /** Of all that are the best, other than the first. */
    let weight = 0
    for (let i = 0; i < candidates.length && enough > 0; i++) {
      const target = candidates[i] as Target
      const its = cost(i, target, at)
      if (its > least || !(its + sampler.margin(first, i) < enough)) continue
      const mine = target.weight || 1
      weight = its < least ? mine : weight + mine
      least = its
      if (weight === mine || random() * weight < mine) best = target
    }
    return best
  }

  function ofSome(candidates: Candidates, at: number): Target {
    const first = sampler.draw()
    let best = candidates[first] as Target
    const enough = cost(first, best, at)
    let least = enough
    for (let drawn = 1; drawn < (choices ?? 2) && least > 0; drawn++) {
      const i = sampler.drawOther(first)
      const target = candidates[i] as Target
      const its = cost(i, target, at)
      if (its >= least || !(its + sampler.margin(first, i) < enough)) continue
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
