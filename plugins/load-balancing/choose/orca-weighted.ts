import type { Balancer, Candidates, PolicyContext } from '../../upstreams/contract.ts'
import { type ReportedWeightOptions, ReportedWeights } from '../load/reported-weights.ts'
import { Slots } from '../load/slots.ts'
import { SmoothSchedule } from '../schedule/smooth-schedule.ts'

export interface OrcaWeightedOptions extends ReportedWeightOptions {
  /** Milliseconds. */
  readonly updatePeriod: number
}

/**
 * In turn, without bursts, by weights that follow from what targets report of their load in the response header
 * `endpoint-load-metrics` (ORCA; gRPC A58, client_side_weighted_round_robin). Until two targets have reported, and for
 * as long as `blackout`, the configured weights hold.
 *
 * The turn begins at a random place, so that many gateways do not go round in step.
 *
 * O(1) a pick; O(N) when targets change, and in one pick of each `updatePeriod`.
 */
export function orcaWeighted({ now, random }: PolicyContext, options: OrcaWeightedOptions): Balancer {
  const slots = new Slots()
  const schedule = new SmoothSchedule(random)
  const reported = new ReportedWeights(options)
  /** Of the last update: a number of its own would be allocated anew each time. */
  const updated = new Float64Array([now()])
  let configured = new Float64Array(0)
  let same = new Int32Array(0)

  function onTargets(candidates: Candidates): void {
    const from = slots.assign(candidates)
    reported.onTargets(from)
    configured = Float64Array.from(candidates, ({ weight }) => weight)
    same = Int32Array.from(from, (_, i) => i)
    schedule.set(reported.weights(configured, now()), from)
  }

  function update(period: number, at: number): void {
    updated[0] = at
    reported.endPeriod(period)
    schedule.set(reported.weights(configured, at), same)
  }

  return {
    onTargets,
    pick(candidates) {
      if (candidates.length !== schedule.size) onTargets(candidates)
      const at = now()
      const period = at - (updated[0] as number)
      if (period >= options.updatePeriod) update(period, at)
      return candidates[schedule.next()] ?? candidates[0]
    },
    onOutcome(target, outcome) {
      const i = slots.of(target)
      if (i >= 0) reported.onOutcome(i, outcome, now())
    },
  }
}
