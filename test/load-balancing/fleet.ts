/** A fleet in virtual time: requests arrive at random, targets take their time or fail, the balancer hears of it. */
import type { Balancer, BalancerFactory, Candidates, Outcome } from '../../plugins/upstreams/contract.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { type TestTarget, testRequest, testTargets } from '../support/test-targets.ts'

/** What a request there comes to, with how long it takes in `latencyMs`. */
export type Answering = (
  dice: () => number,
  target: TestTarget,
  now: number,
) => Exclude<Outcome, { kind: 'abandoned' }>

/** Answers after a time that is exponentially distributed. */
export const exponential =
  (meanMs: number): Answering =>
  (dice) => ({ kind: 'answered', status: 200, latencyMs: -Math.log(1 - dice()) * meanMs })

/** Refuses at once. */
export const failsFast: Answering = () => ({ kind: 'answered', status: 503, latencyMs: 0.5 })
export const refusesConnections: Answering = () => ({
  kind: 'failed',
  reason: 'connect',
  requestSent: false,
  latencyMs: 0.5,
})

export interface FleetOptions {
  readonly targets: readonly Answering[]
  readonly weights?: readonly number[]
  readonly requests: number
  /** Milliseconds between arrivals, on average. */
  readonly everyMs: number
  readonly seed?: number
  readonly clock?: ReturnType<typeof virtualClock>
}

export interface FleetResult {
  /** Requests that each target was sent. */
  readonly sent: number[]
  /** Latencies of answers that were no failures. */
  readonly latencies: number[]
  readonly balancer: Balancer
  readonly candidates: Candidates
}

export function runFleet<O>(create: BalancerFactory<O>, options: O, fleet: FleetOptions): FleetResult {
  const { targets: answering, weights = [], requests, everyMs, seed = 1, clock = virtualClock() } = fleet
  const dice = seededDice(seed + 1000)
  const balancer = create({ now: clock.now, random: seededDice(seed) }, options)
  const targets = testTargets(answering.length)
  for (const [i, weight] of weights.entries()) (targets[i] as TestTarget).weight = weight
  balancer.onTargets?.(targets)
  const sent = targets.map(() => 0)
  const latencies: number[] = []
  const under: { at: number; i: number; outcome: Outcome }[] = []

  const runUntil = (time: number): void => {
    while (under.length > 0 && (under[0] as { at: number }).at <= time) {
      const { at, i, outcome } = under.shift() as (typeof under)[number]
      clock.advance(at - clock.now())
      const target = targets[i] as TestTarget
      balancer.onOutcome?.(target, outcome)
      target.inflight--
    }
    clock.advance(time - clock.now())
  }

  for (let n = 0; n < requests; n++) {
    runUntil(clock.now() - Math.log(1 - dice()) * everyMs)
    const i = targets.indexOf(balancer.pick(targets, testRequest(`k${n}`)) as TestTarget)
    const target = targets[i] as TestTarget
    target.inflight++
    sent[i]!++
    const outcome = (answering[i] as Answering)(dice, target, clock.now())
    if (outcome.kind === 'answered' && outcome.status < 429) latencies.push(outcome.latencyMs)
    const at = clock.now() + outcome.latencyMs
    let place = under.length
    while (place > 0 && (under[place - 1] as { at: number }).at > at) place--
    under.splice(place, 0, { at, i, outcome })
  }
  runUntil(clock.now() + 1e7)
  return { sent, latencies, balancer, candidates: targets }
}
