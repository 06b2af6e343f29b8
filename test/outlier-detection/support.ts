import { object } from '../../plugins/config/kit.ts'
import { validate } from '../../plugins/config/validate.ts'
import { OutlierDetector } from '../../plugins/outlier-detection/detector.ts'
import { type OutlierDetection, schema } from '../../plugins/outlier-detection/schema.ts'
import type { Outcome, Target } from '../../plugins/upstreams/contract.ts'
import type { UpstreamEvent } from '../../plugins/upstreams/events.ts'
import { loadedDice } from '../support/dice.ts'
import { registryOf } from '../upstreams/support.ts'

export const status = (code: number, latencyMs = 1): Outcome => ({
  kind: 'answered',
  status: code,
  latencyMs,
})
export const OK = status(200)
export const ERROR = status(500)
export const REFUSED: Outcome = { kind: 'failed', reason: 'connect', requestSent: false, latencyMs: 1 }
export const TIMED_OUT: Outcome = { kind: 'failed', reason: 'timeout', requestSent: true, latencyMs: 1000 }
export const LEFT: Outcome = { kind: 'abandoned' }
export const OVERTAKEN: Outcome = { kind: 'abandoned', overtakenAfterMs: 200 }

/** The options as the config has them, defaults filled in. */
export function optionsOf(input: unknown = {}): OutlierDetection {
  const { value, problems } = validate(object(schema.upstream), { outlierDetection: input })
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  return (value as { outlierDetection: OutlierDetection }).outlierDetection
}

/** A detector over a real registry in virtual time, with targets in these tiers; its dice show 0 unless told. */
export function watch(
  input: unknown = {},
  { tiers = [0, 0, 0], random = loadedDice(0) }: { tiers?: readonly number[]; random?: () => number } = {},
) {
  const { registry, users, clock } = registryOf(tiers, { random })
  const detector = new OutlierDetector(registry, new Map([['users', optionsOf(input)]]), {
    now: clock.now,
    random,
  })
  const events: UpstreamEvent[] = []
  registry.onEvent((event) => events.push(event))
  registry.addHealthSource(detector)
  registry.onEvent((event) => detector.heard(event))
  registry.onTargetChange(({ target }) => detector.targetsChanged(target.upstream))
  const targets = [...users.targets] as [Target, ...Target[]]
  const at = (index: number): Target => targets[index] as Target
  const hear = (index: number, outcome: Outcome): void => {
    const tookMs = outcome.kind === 'abandoned' ? 0 : outcome.latencyMs
    detector.onOutcome(at(index), outcome, clock.now() - tookMs)
  }

  return {
    detector,
    registry,
    users,
    clock,
    targets,
    events,
    /** Lets the target at `index` come to these outcomes. */
    send(index: number, ...outcomes: readonly Outcome[]): void {
      for (const outcome of outcomes) hear(index, outcome)
    },
    /** The same outcome again and again. */
    repeat(index: number, times: number, outcome: Outcome): void {
      for (let i = 0; i < times; i++) hear(index, outcome)
    },
    /** The same outcome again and again, one after another; then so much time (ms) has gone by. */
    spread(index: number, times: number, outcome: Outcome, ms = 300): void {
      for (let i = 0; i < times; i++) {
        clock.advance(ms / times)
        hear(index, outcome)
      }
    },
    /** Time goes by, and what is due is done when it is due. */
    pass(ms: number): void {
      const end = clock.now() + ms
      for (let due = detector.nextDue(); due <= end; due = detector.nextDue()) {
        clock.advance(Math.max(0, due - clock.now()))
        detector.run(clock.now())
      }
      clock.advance(end - clock.now())
    },
    /** Whether each target may be used. */
    in: (): boolean[] => targets.map((target) => detector.allows(target)),
    /** What was told, `name index: why`. */
    told: (name?: string): string[] =>
      events
        .filter((event) => name === undefined || event.name === name)
        .map(({ name, target, why }) => `${name} ${targets.indexOf(target as Target)}: ${why}`),
  }
}
