import { Breaker, type BreakerOptions } from '../../plugins/circuit-breaker/breaker.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { loadedDice, virtualClock } from '../support/dice.ts'

export const DEFAULTS: BreakerOptions = {
  errorRatio: 0.5,
  minimum: 20,
  window: 10_000,
  consecutive: 10,
  openFor: 5000,
  maxOpenFor: 60_000,
  probes: 1,
  successes: 2,
}

export const ok = (latencyMs = 0): Outcome => ({ kind: 'answered', status: 200, latencyMs })
export const bad = (latencyMs = 0): Outcome => ({ kind: 'answered', status: 500, latencyMs })
export const left: Outcome = { kind: 'abandoned' }

/** A breaker in virtual time, and all that it told. The dice are in the middle: no jitter. */
export function breakerOf(options: Partial<BreakerOptions> = {}, random = loadedDice(0.5)) {
  const clock = virtualClock()
  const told: string[] = []
  const breaker = new Breaker({ ...DEFAULTS, ...options }, { now: clock.now, random }, ({ state }, why) =>
    told.push(`${state}: ${why}`),
  )
  const attempt = (outcome: Outcome): boolean => {
    const admitted = breaker.admit()
    if (admitted) breaker.settle(outcome, clock.now())
    return admitted
  }
  return {
    breaker,
    clock,
    told,
    /** One attempt that ends at once; whether it was let through. */
    attempt,
    attempts: (count: number, outcome: Outcome) => {
      for (let i = 0; i < count; i++) attempt(outcome)
    },
    /** How many of so many attempts at once are let through. None of them ends. */
    admitted: (count: number) => Array.from({ length: count }, () => breaker.admit()).filter(Boolean).length,
    /** Waits until an open breaker tries again. */
    halfOpen: () => {
      clock.advance(breaker.dueAt - clock.now())
      breaker.wake()
    },
  }
}
