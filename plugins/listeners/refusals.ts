import { REFUSAL_REASONS, type RefusalReason } from '../config/refused.ts'
import type { Collector } from '../upstreams/measures.ts'

/** What is not told one by one is told in one line after so long, in milliseconds. */
export const TOLD_EVERY = 60_000

/** Counts what was refused without becoming a request, and says which of it is worth a log line. */
export class Refusals {
  readonly #counts = new Map(REFUSAL_REASONS.map((reason) => [reason, 0]))
  /** How many there were of a reason after the one that was told. */
  readonly #untold = new Map<RefusalReason, number>()

  /** @returns whether it is to be told: the first of its reason since the last summary */
  add(reason: RefusalReason): boolean {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
    const untold = this.#untold.get(reason)
    this.#untold.set(reason, untold === undefined ? 0 : untold + 1)
    return untold === undefined
  }

  /** Those that were not told since the last summary, by reason; undefined if there are none. */
  summary(): Record<string, number> | undefined {
    const untold = [...this.#untold].filter(([, count]) => count > 0)
    this.#untold.clear()
    return untold.length === 0 ? undefined : Object.fromEntries(untold)
  }

  get collector(): Collector {
    return {
      name: 'client_errors_total',
      help: 'What was refused without becoming a request.',
      type: 'counter',
      labels: ['reason'],
      collect: (add) => {
        for (const [reason, count] of this.#counts) add(count, reason)
      },
    }
  }
}
