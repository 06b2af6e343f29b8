import { GradientLimit, type GradientOptions } from '../../plugins/adaptive-concurrency/gradient.ts'
import { loadedDice, seededDice, virtualClock } from '../support/dice.ts'

export const DEFAULTS: GradientOptions = {
  quantile: 0.9,
  interval: 100,
  minSamples: 25,
  minRttInterval: 30_000,
  minRttSamples: 50,
  buffer: 0.25,
  min: 3,
  max: 1000,
  initial: 20,
}

/** A limit in virtual time. The dice show 0: measurements come without delay. */
export function limitOf(options: Partial<GradientOptions> = {}, random = loadedDice(0)) {
  const clock = virtualClock()
  const all = { ...DEFAULTS, ...options }
  const limit = new GradientLimit(all, { now: clock.now, random })
  /** An attempt that ends now; its body took no time unless it began before. */
  const sample = (latencyMs: number, startedAt = clock.now() - latencyMs): void =>
    limit.record(latencyMs, startedAt)
  /** So many attempts one after the other, each as slow as this. */
  const record = (count: number, latencyMs: number): void => {
    for (let i = 0; i < count; i++) {
      clock.advance(latencyMs)
      sample(latencyMs)
    }
  }
  return {
    limit,
    clock,
    sample,
    record,
    /** A second with no quiet moment: a measurement that waits for one makes one. */
    crowd: (latencyMs: number): void => {
      for (let i = 0; i < 10; i++) {
        limit.admits(all.min)
        clock.advance(100)
        sample(latencyMs, clock.now() - 100)
      }
    },
    /** A window with all of the limit in use, in which all are as slow as this. */
    window: (latencyMs: number): number => {
      limit.admits(limit.limit - 1)
      clock.advance(all.interval)
      for (let i = 0; i < all.minSamples; i++) sample(latencyMs)
      return limit.limit
    },
  }
}

export interface Load {
  /** Requests a second; they come whether others are answered or not. */
  readonly rate: number
  /** How many the target works on at the same time. The others wait in line. */
  readonly servers: number
  /** Milliseconds of work for each. */
  readonly service: number
}

/**
 * A target behind a limit, or without one, in virtual time. Arrivals are a Poisson process.
 * @param phases one after the other, each for so many milliseconds
 */
export function simulate(
  phases: readonly (Load & { readonly forMs: number })[],
  options: Partial<GradientOptions> | undefined,
  seed = 1,
) {
  const clock = virtualClock()
  const random = seededDice(seed)
  const limit =
    options &&
    new GradientLimit({ ...DEFAULTS, ...options }, { now: clock.now, random: seededDice(seed + 1) })
  const toTime = (time: number): void => clock.advance(time - clock.now())
  /** When each server is free. */
  let free: number[] = []
  let underWay: { done: number; came: number }[] = []
  const results: { came: number; latency: number }[] = []
  const limits: { at: number; limit: number }[] = []
  const finish = (until: number): void => {
    for (;;) {
      const next = underWay[0]
      if (next === undefined || next.done > until) return
      underWay = underWay.slice(1)
      toTime(next.done)
      limit?.record(next.done - next.came, next.came)
      results.push({ came: next.came, latency: next.done - next.came })
    }
  }
  let refused = 0
  let end = 0
  for (const { rate, servers, service, forMs } of phases) {
    let came = end
    end += forMs
    free = Array.from({ length: servers }, (_, i) => Math.max(came, free[i % Math.max(1, free.length)] ?? 0))
    for (;;) {
      came += (-Math.log(1 - random()) * 1000) / rate
      if (came >= end) break
      finish(came)
      toTime(came)
      if (limit) limits.push({ at: came, limit: limit.limit })
      if (limit && !limit.admits(underWay.length)) {
        refused++
        continue
      }
      const server = free.indexOf(Math.min(...free))
      const done = Math.max(came, free[server] as number) + service
      free[server] = done
      const at = underWay.findLastIndex((one) => one.done <= done)
      underWay.splice(at + 1, 0, { done, came })
    }
    finish(end)
    toTime(end)
  }
  return { results, limits, refused, waiting: underWay.length }
}

export function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(q * values.length))
  ] as number
}
