import type { Gauge, Rule, Scope } from '../rules/rule.ts'
import { scopeKey } from '../rules/rule.ts'
import { type Alert, AlertState } from './alert.ts'
import { Counters, reading, type Sources } from './counters.ts'
import { evaluate } from './evaluate.ts'

export interface Change {
  readonly kind: 'fired' | 'resolved'
  readonly alert: Alert
}

/**
 * Evaluates rules on totals since the start, one round at a time, in whatever time it is told. A round reads each
 * number once, however many rules ask for it.
 */
export class Engine {
  readonly #states: readonly AlertState[]
  readonly #counters: Counters
  readonly #sources: Sources
  #last = Number.NEGATIVE_INFINITY

  /**
   * @param every milliseconds between two rounds
   * @param instance which gateway this is
   */
  constructor(rules: readonly Rule[], sources: Sources, every: number, instance: () => string) {
    this.#states = rules.map((rule) => new AlertState(rule, instance))
    this.#sources = sources
    this.#counters = new Counters(rules, sources, every)
  }

  /** One per rule, in their order, whatever the state. */
  get alerts(): readonly Alert[] {
    return this.#states
  }

  /** Milliseconds for which rounds have followed each other without a break. */
  get watchedMs(): number {
    return this.#counters.watchedMs
  }

  /**
   * @param now monotonic milliseconds
   * @param timeOfDay milliseconds since 1970: only told to people, nothing is reckoned with it
   */
  round(now: number, timeOfDay: number): Change[] {
    if (now <= this.#last) return []
    this.#last = now
    const steady = this.#counters.read(now)
    const gauges = new Map<string, number | undefined>()
    const numbers = {
      increase: this.#counters.increase.bind(this.#counters),
      watched: this.#counters.watched.bind(this.#counters),
      gauge: (scope: Scope, gauge: Gauge): number | undefined => {
        const key = `${scopeKey(scope)}\n${gauge}`
        if (!gauges.has(key))
          gauges.set(
            key,
            reading(() => this.#sources.gauge(scope, gauge)),
          )
        return gauges.get(key)
      },
    }
    const changes: Change[] = []
    for (const state of this.#states) {
      const { condition, staysWhile, scope } = state.rule
      // As in PromQL: what lets it begin lets it stay as well, and `staysWhile` besides.
      let verdict = evaluate(condition, scope, numbers)
      if (typeof verdict !== 'number' && state.state === 'firing' && staysWhile !== condition) {
        verdict = evaluate(staysWhile, scope, numbers)
      }
      const kind = state.next(verdict, now, timeOfDay, steady)
      if (kind !== undefined) changes.push({ kind, alert: state })
    }
    this.#counters.keep()
    return changes
  }
}
