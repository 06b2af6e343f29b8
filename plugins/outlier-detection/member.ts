import type { Outcome, Target } from '../upstreams/contract.ts'
import { LatencyHistogram, LatencyScale } from '../upstreams/latency-histogram.ts'
import { Doubt } from './doubt.ts'
import type { Ejection } from './ejection.ts'
import type { OutlierDetection } from './schema.ts'
import type { Latencies, Tally } from './statistics.ts'
import { latencyOf, type Verdict } from './verdict.ts'

/** Right to within 4.5 %: there is one histogram for each target. */
const SCALE = new LatencyScale(0.045)

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
  /** Attempts overtaken since the last answer. */
  overtakenInRow = 0
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
  readonly doubt = new Doubt();

  /** In use as far as this concern has a say. */
  get in(): boolean {
    return this.ejection === undefined && !this.target.draining
  }

  constructor(target: Target, tier: Tier, now: number) {
    this.target = target
    this.tier = tier
    this.inSince = now
  }

  count(outcome: Outcome, verdict: Verdict): void {
    // Any answer, a 429 and a 500 too: whoever answers first is not overtaken.
    if (outcome.kind === 'answered') this.overtakenInRow = 0
    if (verdict === 'nothing') return
    const ms = latencyOf(outcome, verdict)
    if (ms !== undefined) this.latencies.add(ms)
    if (verdict === 'success') {
      this.successes++
      this.failuresInRow = 0
      this.unproven = false
      return
    }
    this.failures++
    if (verdict === 'overtaken') this.overtakenInRow++
    else this.failuresInRow++
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
    this.overtakenInRow = 0
    this.unproven = true
    this.ejection = undefined
    this.inSince = now
  }
}
