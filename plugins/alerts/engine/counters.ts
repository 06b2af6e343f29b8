import {
  type Counter,
  counterKey,
  countersOf,
  type Gauge,
  type Rule,
  type Scope,
  scopeKey,
  termsOf,
} from '../rules/rule.ts'
import { Window } from './window.ts'

/** Rounds that are later than by this, and than by three of them, were missed. */
const BREAK_MS = 3000

/** Where the numbers come from. */
export interface Sources {
  /** Reads a total since the start. May throw or return NaN: then nothing is known of it now. */
  counter(scope: Scope, counter: Counter): () => number
  /** Undefined where it cannot be said. May throw: then it cannot be either. */
  gauge(scope: Scope, gauge: Gauge): number | undefined
}

interface Kept {
  readonly read: () => number
  /** As it was read last. */
  raw: number
  /** Sum of what it grew by: goes on when the counter starts anew. */
  total: number
  /** It was read in this round. */
  known: boolean
  readonly windows: Map<number, Window>
}

/** The counters that rules ask for, and what they grew by over the rules' windows. One reading per round. */
export class Counters {
  readonly #kept = new Map<string, Kept>()
  #steadySince = Number.NaN
  #now = Number.NaN
  readonly #every: number

  /** @param every milliseconds between two rounds */
  constructor(rules: readonly Rule[], sources: Pick<Sources, 'counter'>, every: number) {
    this.#every = every
    for (const rule of rules) {
      for (const term of termsOf(rule)) {
        for (const [counter, over] of countersOf(term)) {
          const key = `${scopeKey(rule.scope)}\n${counterKey(counter)}`
          let kept = this.#kept.get(key)
          if (kept === undefined) {
            const read = sources.counter(rule.scope, counter)
            kept = { read, raw: 0, total: 0, known: false, windows: new Map() }
            this.#kept.set(key, kept)
          }
          if (!kept.windows.has(over)) kept.windows.set(over, new Window(over, every))
        }
      }
    }
  }

  /** Begins a round: reads every counter. Returns false if the rounds before were missed (the process was stopped). */
  read(now: number): boolean {
    const steady = now - this.#now <= Math.max(4 * this.#every, BREAK_MS)
    if (!steady) this.#steadySince = now
    this.#now = now
    for (const kept of this.#kept.values()) {
      const raw = reading(kept.read)
      kept.known = raw !== undefined && raw >= 0
      if (raw === undefined || raw < 0) continue
      // Less than before: it has begun again from 0.
      kept.total += raw < kept.raw ? raw : raw - kept.raw
      kept.raw = raw
    }
    return steady
  }

  /** Since when there was no break, in milliseconds. */
  get watchedMs(): number {
    return Number.isNaN(this.#now) ? 0 : this.#now - this.#steadySince
  }

  /** Ends a round. */
  keep(): void {
    for (const { known, windows, total } of this.#kept.values()) {
      if (known) for (const window of windows.values()) window.add(this.#now, total)
    }
  }

  /** Over the window, or what of it was watched. Undefined where the counter is not known now, or for the first time. */
  increase(scope: Scope, counter: Counter, over: number): number | undefined {
    const kept = this.#kept.get(`${scopeKey(scope)}\n${counterKey(counter)}`)
    return kept?.known ? kept.windows.get(over)?.increase(this.#now, kept.total) : undefined
  }

  /** Whether the last so many milliseconds were watched without a break. */
  watched(scope: Scope, counter: Counter, over: number): boolean {
    const kept = this.#kept.get(`${scopeKey(scope)}\n${counterKey(counter)}`)
    const reach = kept?.windows.get(over)?.reach(this.#now) ?? 0
    return reach >= over && this.watchedMs >= over
  }
}

/** Undefined where nothing sensible comes of it: one number that cannot be read must not stop the others. */
export function reading(read: () => number | undefined): number | undefined {
  try {
    const value = read()
    return Number.isFinite(value) ? value : undefined
  } catch {
    return undefined
  }
}
