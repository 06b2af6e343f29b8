import type { Outcome } from '../../upstreams/contract.ts'
import { evidenceAgainst } from '../../upstreams/evidence.ts'
import { carried } from './slots.ts'

/** How many usual latencies the first failure counts as. */
const FACTOR = 10
/** What a failure counts as at most, in milliseconds, unless the target has asked for longer. */
const MOST = 5000
/** What a Retry-After counts as at most, in milliseconds. */
const MOST_ASKED = 300_000
/** Part by which an answer moves the usual latency. */
const STEP = 1 / 64
/** Usual latency before there was any answer, in milliseconds. */
const UNKNOWN = 10
/** Time constants after which nothing is left of a failure: e^-12 is 6e-6. */
const FORGOTTEN = 12
/** Time constant by which latencies fade, in milliseconds. */
const FADES = 10_000

/** What speaks against a target, and besides what says that it has too much to do: a 429, a full queue. */
export function isFailure(outcome: Outcome): boolean {
  if (evidenceAgainst(outcome) === 'failure') return true
  return outcome.kind === 'answered' ? outcome.status === 429 : outcome.kind === 'failed'
}

/**
 * What failures count as, so that a target which fails fast does not look as if it had nothing to do.
 *
 * Linkerd counts a failure as an answer that took 5 s, or Retry-After up to 300 s ("load biasing", its `failure`
 * penalty). With latencies of 10 ms and a decay of 10 s a single error then costs a target its traffic for a minute.
 * So here it is in proportion: the first counts as ten usual latencies of the upstream, each further one in a row as
 * twice that, up to Linkerd's 5 s; a Retry-After counts as what it says, up to 300 s; and none as less than it took.
 *
 * O(1) an outcome, O(N) when targets change.
 */
export class Failures {
  #usual = new Float64Array([UNKNOWN])
  #any = false
  #row = new Uint8Array(0)
  /** Failed attempts that count as if they were still under way, as of `#stamp`, and their time constant. */
  #phantoms = new Float64Array(0)
  #stamp = new Float64Array(0)
  #lasts = new Float64Array(0)
  #forgottenAt = new Float64Array([0])
  #idle = true

  onTargets(from: Int32Array): void {
    this.#row = carried(this.#row, from)
    this.#phantoms = carried(this.#phantoms, from)
    this.#stamp = carried(this.#stamp, from)
    this.#lasts = carried(this.#lasts, from, 1)
  }

  /** The upstream's usual latency in milliseconds; 10 before the first answer. */
  get usual(): number {
    return this.#usual[0] as number
  }

  /** True while no failure counts any more: `phantoms` and `delay` are next to 0 for all. */
  get idle(): boolean {
    return this.#idle
  }

  /** Failures of this target since its last success, up to 30. */
  row(i: number): number {
    return this.#row[i] as number
  }

  /** Failed attempts that count as under way. A question: changes nothing. */
  phantoms(i: number, now: number): number {
    const count = this.#phantoms[i] as number
    return count === 0 ? 0 : count * Math.exp(((this.#stamp[i] as number) - now) / (this.#lasts[i] as number))
  }

  /** Milliseconds that failures since the last success make of its latency, fading over 10 s; 0 if there are none. */
  delay(i: number, now: number): number {
    if (this.#row[i] === 0) return 0
    return (this.#lasts[i] as number) * Math.exp(((this.#stamp[i] as number) - now) / FADES)
  }

  /** Milliseconds that this answer or failure counts as. */
  record(i: number, outcome: Exclude<Outcome, { kind: 'abandoned' }>, now: number): number {
    if (!this.#idle && now > (this.#forgottenAt[0] as number)) this.#forget()
    if (!isFailure(outcome)) return this.#succeeded(i, outcome.latencyMs)
    const row = Math.min(30, (this.#row[i] as number) + 1)
    this.#row[i] = row
    let counts = Math.min(MOST, FACTOR * this.usual * 2 ** (row - 1))
    if (outcome.kind === 'answered' && outcome.retryAfterMs !== undefined) {
      counts = Math.max(counts, Math.min(outcome.retryAfterMs, MOST_ASKED))
    }
    this.#phantoms[i] = this.phantoms(i, now) + 1
    this.#stamp[i] = now
    this.#lasts[i] = counts
    this.#idle = false
    this.#forgottenAt[0] = Math.max(this.#forgottenAt[0] as number, now + FORGOTTEN * Math.max(counts, FADES))
    return Math.max(outcome.latencyMs, counts)
  }

  #succeeded(i: number, latencyMs: number): number {
    this.#row[i] = 0
    this.#usual[0] = this.#any ? this.usual + (latencyMs - this.usual) * STEP : latencyMs
    this.#any = true
    return latencyMs
  }

  #forget(): void {
    this.#idle = true
    this.#phantoms.fill(0)
  }
}
