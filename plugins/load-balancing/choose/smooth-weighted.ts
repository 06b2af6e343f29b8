import type { Balancer, Candidates, PolicyContext } from '../../upstreams/contract.ts'
import { Slots } from '../load/slots.ts'
import { SmoothSchedule } from '../schedule/smooth-schedule.ts'

/**
 * In turn by weight, without bursts: weights 5, 1, 1 give A A B A C A A (nginx's smooth weighted round robin; with more
 * than 16 targets earliest deadline first, as Envoy has it, which is nearly as smooth).
 *
 * It begins at a random place of that order, so that many gateways do not go round in step; without a context at its
 * beginning.
 *
 * O(1) a pick, O(N) when targets change. A target that stays keeps what it has earned of its next turn. Where all
 * weights are 0 the targets count alike.
 */
export function smoothWeighted(context?: Pick<PolicyContext, 'random'>): Balancer {
  const slots = new Slots()
  const schedule = new SmoothSchedule(context?.random)

  function onTargets(candidates: Candidates): void {
    const from = slots.assign(candidates)
    schedule.set(
      Float64Array.from(candidates, ({ weight }) => weight),
      from,
    )
  }

  return {
    onTargets,
    pick(candidates) {
      if (candidates.length !== schedule.size) onTargets(candidates)
      return candidates[schedule.next()] ?? candidates[0]
    },
  }
}
