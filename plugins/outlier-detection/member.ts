import type { Outcome, Target } from '../upstreams/contract.ts'
import { LatencyHistogram, LatencyScale } from '../upstreams/latency-histogram.ts'
import { UsualLatency } from '../upstreams/usual-latency.ts'
import { Doubt } from './doubt.ts'
import type { Ejection } from './ejection.ts'
import type { OutlierDetection } from './schema.ts'
import type { Latencies, Tally } from './statistics.ts'
import { latencyOf, type Verdict } from './verdict.ts'

/** Right to within 4.5 %: there is one histogram for each target. */
const SCALE = new LatencyScale(0.045)

/**
 * Silence for less than this is no reason for an ejection (ms). Linux repeats a lost TCP segment after 200 ms at the
 * earliest (TCP_RTO_MIN), and G1 aims at garbage collections that are no longer: a healthy target may take that.
 */
const SILENCE_MS = 200

/** The targets of one tier, compared with each other. */
export interface Tier {
  readonly tier: number
  readonly group: Group
  readonly members: Set<Member>
  /** How many of them do not drain. */
  size: number
  /** How many of those are ejected. */
  ejected: number
  /** Best ratio of successes among them, when it was last looked at. */
  best: number
  /** When the youngest attempt that was answered had begun (monotonic milliseconds). */
  youngestAnswered: number
  readonly usual: UsualLatency
}

/** The targets of one upstream. */
export interface Group {
  readonly upstream: string
  readonly options: OutlierDetection
  readonly tiers: Map<number, Tier>
  /** Members of all tiers that neither drain nor are ejected. */
  left: number
  /** Milliseconds, monotonic. */
  sweptAt: number
}

/** What is known of one target. */
export class Member implements Tally, Latencies {
  readonly target: Target
  readonly tier: Tier
  /** Failures since the last success. */
  failuresInRow = 0
  /** Attempts that were overtaken or given up since the last answer, and count. */
  unansweredInRow = 0
  /** Monotonic milliseconds of the first of them. */
  unansweredSince = 0
  /** When it last answered anything (monotonic milliseconds). */
  answeredAt = Number.NEGATIVE_INFINITY
  /** Back from an ejection, and no success since. */
  unproven = false
  /** In the present interval. */
  successes = 0
  failures = 0
  readonly latencies = new LatencyHistogram(SCALE)
  /** Something was found wrong in the present interval. */
  troubled = false
  ejection: Ejection | undefined
  /** How often it was ejected, less what was forgotten. */
  times = 0
  inSince: number
  /** When `would-eject` was last said. */
  saidAt = Number.NEGATIVE_INFINITY
  readonly doubt = new Doubt()
  readonly #usual: UsualLatency

  /** In use as far as this concern has a say. */
  get in(): boolean {
    return this.ejection === undefined && !this.target.draining
  }

  constructor(target: Target, tier: Tier, now: number) {
    this.target = target
    this.tier = tier
    this.inSince = now
    this.#usual = new UsualLatency(tier.usual)
  }

  /** @param startedAt when the attempt began (monotonic milliseconds) */
  count(outcome: Outcome, verdict: Verdict, startedAt: number): void {
    // Any answer, a 429 and a 500 too: it lives.
    if (outcome.kind === 'answered') this.#answered(startedAt, outcome.latencyMs)
    if (verdict === 'nothing' || verdict === 'given-up') return
    const ms = latencyOf(outcome, verdict)
    if (ms !== undefined) this.latencies.add(ms)
    if (verdict === 'success') {
      this.#usual.add(ms as number)
      this.successes++
      this.failuresInRow = 0
      this.unproven = false
      return
    }
    this.failures++
    if (verdict === 'failure') this.failuresInRow++
  }

  /** All others that are in use fail as well, so that it is the requests, or something behind all of them. */
  get failsLikeAll(): boolean {
    let others = 0
    for (const other of this.tier.members) {
      if (other === this || !other.in) continue
      if (other.failuresInRow === 0) return false
      others++
    }
    return others > 0
  }

  /** Another one of the upstream is well, as all sources have it, and need not prove itself. */
  get othersProven(): boolean {
    for (const { members } of this.tier.group.tiers.values()) {
      for (const member of members) {
        if (member.in && !member.unproven && member.target.standing === 'well') return true
      }
    }
    return false
  }

  /** A client that left had waited for unusually long, while others answered what began later. */
  waitedInVain(silentMs: number, startedAt: number): boolean {
    return silentMs > this.#usual.unusual(SILENCE_MS) && this.tier.youngestAnswered > startedAt
  }

  /**
   * An attempt was overtaken or given up. It counts only if the target answered nothing at all while it waited: one
   * that is busy answers those who came before.
   */
  unanswered(startedAt: number, now: number): void {
    if (startedAt < this.answeredAt) return
    if (this.unansweredInRow++ === 0) this.unansweredSince = now
  }

  /** Whether so many in a row say that it is silent. Not if they came all at once: then it was rather we who slept. */
  isSilent(needed: number, now: number): boolean {
    const { unansweredInRow, unansweredSince } = this
    return unansweredInRow >= needed && (needed === 1 || now - unansweredSince >= SILENCE_MS)
  }

  #answered(startedAt: number, latencyMs: number): void {
    this.unansweredInRow = 0
    this.answeredAt = Math.max(this.answeredAt, startedAt + latencyMs)
    this.tier.youngestAnswered = Math.max(this.tier.youngestAnswered, startedAt)
  }

  /** Begins a new interval. */
  reset(): void {
    this.successes = 0
    this.failures = 0
    this.latencies.clear()
    this.troubled = false
  }

  /** Begins afresh, with all that was counted forgotten. */
  restart(now: number): void {
    this.reset()
    this.failuresInRow = 0
    this.unansweredInRow = 0
    this.unproven = true
    this.ejection = undefined
    this.inSince = now
  }
}
