import type { Outcome, Target } from '../upstreams/contract.ts'
import { evidenceAgainst } from '../upstreams/evidence.ts'
import { UsualLatency } from './usual-latency.ts'

export interface ProofOptions {
  /** Good answers in a row that prove a target again. */
  readonly answers: number
  /** Milliseconds after which doubt that nothing has confirmed is dropped. */
  readonly lapse: number
  /** Milliseconds of silence that are never unusual. */
  readonly atLeast: number
}

const LONGEST_LAPSE_MS = 5 * 60_000

/**
 * Whether a target was last seen to work. One bad sign is enough for doubt: an error, a failure, an attempt that was
 * overtaken by a later one, or more silence than is usual while requests wait. A few good answers in a row dispel it.
 * Requests that can be repeated go on meanwhile, and are the probes.
 */
export class Proof {
  readonly #options: ProofOptions
  readonly #usual = new UsualLatency()
  /** Monotonic milliseconds of the last bad sign; undefined while there is proof. */
  #doubtedAt: number | undefined
  /** How long this doubt lasts without a further bad sign (ms). */
  #lapse: number
  #good = 0

  constructor(options: ProofOptions) {
    this.#options = options
    this.#lapse = options.lapse
  }

  /** @param now monotonic milliseconds */
  holds({ waiting, quietSince }: Pick<Target, 'waiting' | 'quietSince'>, now: number): boolean {
    const { atLeast } = this.#options
    if (this.#doubtedAt !== undefined && now - this.#doubtedAt < this.#lapse) return false
    return waiting === 0 || now - quietSince <= this.#usual.unusual(atLeast)
  }

  /** It is not known to work: it has just come or come back. */
  doubt(now: number): void {
    // Dropped for want of signs, and wrongly: where nothing else speaks for it, each such trial costs a request.
    if (this.#doubtedAt !== undefined && now - this.#doubtedAt >= this.#lapse)
      this.#lapse = Math.min(this.#lapse * 2, Math.max(LONGEST_LAPSE_MS, this.#options.lapse))
    this.#doubtedAt = now
    this.#good = 0
  }

  heard(outcome: Outcome, now: number): void {
    if (evidenceAgainst(outcome) !== undefined) this.doubt(now)
    else if (outcome.kind === 'answered') this.#answered(outcome.latencyMs, now)
  }

  #answered(latencyMs: number, now: number): void {
    const slow = latencyMs > this.#usual.unusual(this.#options.atLeast)
    this.#usual.add(latencyMs)
    if (this.#doubtedAt === undefined) return
    if (slow) this.doubt(now)
    else if (++this.#good >= this.#options.answers) {
      this.#doubtedAt = undefined
      this.#lapse = this.#options.lapse
    }
  }
}
