import type { Balancer, Candidates, PolicyContext } from '../../upstreams/contract.ts'
import { InflightLoad } from '../load/inflight.ts'
import { EwmaLoad } from '../load/latency-ewma.ts'
import type { Load } from '../load/load.ts'
import { PeakEwmaLoad } from '../load/peak-ewma.ts'
import { Slots } from '../load/slots.ts'
import { Sampler } from '../sample/sampler.ts'

export interface P2cOptions {
  readonly load: 'inflight' | 'ewma' | 'peak-ewma'
  /** Milliseconds. */
  readonly decay: number
}

function loadOf({ load, decay }: P2cOptions, now: () => number): Load {
  switch (load) {
    case 'inflight':
      return new InflightLoad()
    case 'ewma':
      return new EwmaLoad(decay, now)
    case 'peak-ewma':
      return new PeakEwmaLoad(decay, now)
  }
}

/**
 * Power of two choices: of two different targets, drawn at random, the less loaded one (Mitzenmacher, "The power of
 * two choices in randomized load balancing", IEEE TPDS 12(10), 2001; as in Finagle and Linkerd).
 *
 * Targets are drawn by weight, and requests under way count by weight, so that all are equally busy for what they
 * can carry; of two that are equally loaded the one drawn first is taken, which leaves the proportions of the weights.
 *
 * O(1) a pick, O(N) when targets change.
 */
export function p2c(context: PolicyContext, options: P2cOptions): Balancer {
  const slots = new Slots()
  const sampler = new Sampler(context.random)
  const load = loadOf(options, context.now)

  function onTargets(candidates: Candidates): void {
    load.onTargets(candidates, slots.assign(candidates))
    sampler.onTargets(candidates)
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
      const costOfA = load.cost(first, a, sampler.perWeight(first), now)
      return load.cost(other, b, sampler.perWeight(other), now) < costOfA ? b : a
    },
    onOutcome(target, outcome) {
      const i = slots.of(target)
      if (i >= 0) load.onOutcome(i, outcome, context.now())
    },
  }
}
