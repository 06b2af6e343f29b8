import type { Outcome, Target } from '../upstreams/contract.ts'
import { evidenceAgainst, silenceOf } from '../upstreams/evidence.ts'
import { UsualLatency } from '../upstreams/usual-latency.ts'

export interface ProofOptions {
  /** Good answers in a row that prove a target again. */
  readonly answers: number
  /** Milliseconds after which doubt that nothing has confirmed is dropped. */
  readonly lapse: number
  /** Milliseconds of silence that are never unusual. */
  readonly atLeast: number
}

type Waited = Pick<Target, 'waiting' | 'quietSince'>

const LONGEST_LAPSE_MS = 5 * 60_000

/**
 * Whether a target was last seen to work. One bad sign is enough for doubt: an error, a failure, an attempt that was
 * overtaken by a later one, or more silence than is usual while requests wait, or until they were given up. A few good
 * answers in a row dispel it. Requests that can be repeated go on meanwhile, and are the probes.
 */
export class Proof {
  readonly #options: ProofOptions
  readonly #usual: UsualLatency
  readonly #ofTier: UsualLatency
  /** Monotonic milliseconds of the last bad sign; undefined while there is proof. */
  #doubtedAt: number | undefined
  /** How long this doubt lasts without a further bad sign (ms). */
  #lapse: number
  #good = 0

  /** @param ofTier what is usual for the targets of its tier, as long as nothing is known of this one */
  constructor(options: ProofOptions, ofTier = new UsualLatency()) {
    this.#options = options
    this.#ofTier = ofTier
    this.#usual = new UsualLatency(ofTier)
    this.#lapse = options.lapse
  }

  /**
   * @param now monotonic milliseconds
   * @param lapses whether doubt is dropped for want of signs
   */
  holds({ waiting, quietSince }: Waited, now: number, lapses = true): boolean {
    const doubted = this.#doubtedAt !== undefined
    if (doubted && (!lapses || now - (this.#doubtedAt as number) < this.#lapse)) return false
    if (waiting === 0) return true
    // Nothing has shown that it works, where others do: one request at a time finds out.
    if (doubted || (!this.#usual.known && this.#ofTier.known)) return false
    return now - quietSince <= this.#usual.unusual(this.#options.atLeast)
  }

  /** It is not known to work: it has just come, come back, or been taken out. */
  doubt(now: number): void {
    // Dropped for want of signs, and wrongly: where nothing else speaks for it, each such trial costs a request.
    if (this.#doubtedAt !== undefined && now - this.#doubtedAt >= this.#lapse)
      this.#lapse = Math.min(this.#lapse * 2, Math.max(LONGEST_LAPSE_MS, this.#options.lapse))
    this.#doubtedAt = now
    this.#good = 0
  }

  /** @param quietSince of the target */
  heard(outcome: Outcome, now: number, quietSince = Number.NEGATIVE_INFINITY): void {
    if (evidenceAgainst(outcome) !== undefined) this.doubt(now)
    else if (outcome.kind === 'answered') this.#answered(outcome.latencyMs, now)
    else if (this.#unusual(outcome, now - quietSince)) this.doubt(now)
  }

  /** It was given up in silence; and the target has given no sign of life to anybody else either. */
  #unusual(outcome: Outcome, quietMs: number): boolean {
    const silentMs = Math.min(silenceOf(outcome) ?? 0, quietMs)
    return silentMs > this.#usual.unusual(this.#options.atLeast)
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
