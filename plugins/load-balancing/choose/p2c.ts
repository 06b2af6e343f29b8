import type { Balancer, Candidates, PolicyContext } from '../../upstreams/contract.ts'
import { EwmaLoad } from '../load/latency-ewma.ts'
import { PeakEwmaLoad } from '../load/peak-ewma.ts'
import { Slots } from '../load/slots.ts'
import { Sampler } from '../sample/sampler.ts'
import { leastRequests } from './least-requests.ts'

export interface P2cOptions {
  readonly load: 'inflight' | 'ewma' | 'peak-ewma'
  /** Milliseconds. */
  readonly decay: number
}

/**
 * Power of two choices: of two different targets, drawn at random, the less loaded one (Mitzenmacher, "The power of
 * two choices in randomized load balancing", IEEE TPDS 12(10), 2001; as in Finagle and Linkerd).
 *
 * Targets are drawn by weight, and a load means as much for each: requests under way count by weight, and latencies fade
 * by weight, or who is seldom asked would look fastest. Where one target has a large part of the weight it is drawn
 * nearly each time, and so is, beside it, one that has little: of the requests that would move from the one to the other
 * because it is less loaded now, only as many do as move back (`Sampler.moving`), so that where all are equally fast
 * each gets its part. But all of them move where it is less loaded by that factor: the heavy one hangs, say.
 *
 * By requests under way it is `least-requests` with two choices.
 *
 * O(1) a pick, O(N) when targets change.
 */
export function p2c(context: PolicyContext, options: P2cOptions): Balancer {
  const { load: kind, decay } = options
  if (kind === 'inflight') return leastRequests(context, { choices: 2, bias: 1 })
  const slots = new Slots()
  const sampler = new Sampler(context.random)
  const load = kind === 'ewma' ? new EwmaLoad(decay, context.now) : new PeakEwmaLoad(decay, context.now)

  function onTargets(candidates: Candidates): void {
    sampler.onTargets(candidates)
    load.onTargets(slots.assign(candidates), (i) => sampler.perWeight(i))
  }

  return {
    onTargets,
    pick(candidates) {
      if (candidates.length !== sampler.size) onTargets(candidates)
      const first = sampler.draw()
      const other = sampler.drawOther(first)
      const a = candidates[first] ?? candidates[0]
      const b = candidates[other] ?? candidates[0]
      if (a === b) return a
      const now = context.now()
      const costOfA = load.cost(first, a.inflight * sampler.perWeight(first), now)
      const costOfB = load.cost(other, b.inflight * sampler.perWeight(other), now)
      if (costOfB >= costOfA) return a
      const moving = sampler.moving(first, other)
      return costOfB <= moving * costOfA || context.random() < moving ? b : a
    },
    onOutcome(target, outcome) {
      const i = slots.of(target)
      if (i >= 0) load.onOutcome(i, outcome, context.now())
    },
  }
}
