import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './faults.ts'
import type { Started } from './gateways.ts'
import { type Figures, judge, type Quantiles, quantiles, slowFactor } from './judge.ts'
import { Load, type Sample } from './load.ts'
import type { Targets } from './targets.ts'

export interface Setting {
  targets: Targets
  /** Requests per second. */
  rate: number
  /** How long a fault lasts (s). */
  seconds: number
  /** How long the calm run lasts (s). */
  calm: number
  seed: number
}

/** A failed request; times in ms. */
export interface Failure {
  kind: Sample['kind']
  /** When it should have been sent, counted from the start of the fault. */
  at: number
  ms: number
  reason: string
}

export interface Result {
  figures: Figures
  failures: Failure[]
}

/** A JIT has seen enough by then. */
const warmUpRequests = 4000
const warmUpRate = 500
/** Of load that does not count: connections are opened, and a gateway that has been idle notices what changed. */
const quietMs = 2000
const calmMs = 2000
const afterMs = 4000

/** Warms a gateway up and measures it with nothing broken. */
export async function measureCalm(setting: Setting, gateway: Started): Promise<Quantiles> {
  const { rate, seed, calm } = setting
  const warmUp = new Load({ port: gateway.port, perSecond: warmUpRate, seed, prefix: `${gateway.name}-warm` })
  await sleep((warmUpRequests / warmUpRate) * 1000)
  requireAnswers(gateway, await warmUp.stop())
  const load = new Load({ port: gateway.port, perSecond: rate, seed, prefix: `${gateway.name}-calm` })
  await sleep(quietMs)
  const begin = load.elapsed()
  await sleep(calm * 1000)
  const samples = (await load.stop()).filter(({ at }) => at >= begin)
  requireAnswers(gateway, samples)
  return quantiles(samples)
}

/** Calm, fault, after: one fault behind one gateway. The targets are well before and after. */
export async function measureFault(
  setting: Setting,
  gateway: Started,
  calm: Quantiles,
  fault: Fault,
): Promise<Result> {
  const { targets, rate, seed, seconds } = setting
  const load = new Load({
    port: gateway.port,
    perSecond: rate,
    seed,
    prefix: `${gateway.name}-${fault.name}`,
  })
  let samples: Sample[]
  let begin: number, faultBegin: number, faultEnd: number
  try {
    await sleep(quietMs)
    begin = load.elapsed()
    await sleep(calmMs)
    faultBegin = load.elapsed()
    await fault.inject(targets, seconds * 1000)
    faultEnd = load.elapsed()
    await sleep(afterMs)
  } finally {
    samples = await load.stop()
  }
  await targets.settled()
  if (gateway.gone() !== undefined) throw new Error(`${gateway.name} has ended: ${gateway.gone()}`)
  samples = samples.filter(({ at }) => at >= begin)
  const executions = targets.executions()
  return {
    figures: judge({ samples, faultEnd, executions, slowAbove: slowFactor * calm.p999 }),
    failures: samples.flatMap(({ kind, at, ms, failure }) =>
      failure === undefined ? [] : [{ kind, at: at - faultBegin, ms, reason: failure }],
    ),
  }
}

/** With all targets well every request has to succeed; else the set-up is wrong and no figure means anything. */
function requireAnswers(gateway: Started, samples: readonly Sample[]): void {
  if (gateway.gone() !== undefined) throw new Error(`${gateway.name} has ended: ${gateway.gone()}`)
  const failed = samples.filter(({ failure }) => failure !== undefined)
  if (failed.length === 0) return
  throw new Error(
    `${gateway.name} fails with nothing broken: ${failed.length} of ${samples.length}, such as "${failed[0]?.failure}"`,
  )
}
