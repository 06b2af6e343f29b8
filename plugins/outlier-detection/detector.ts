import type { Outcome, PolicyContext, Target, UpstreamRegistry } from '../upstreams/contract.ts'
import type { UpstreamEvent } from '../upstreams/events.ts'
import type { HealthSource, Veto } from '../upstreams/health-source.ts'
import { STEPS } from './doubt.ts'
import { fewer } from './ejection.ts'
import { Ejector, NAME } from './ejector.ts'
import { Fleet } from './fleet.ts'
import type { Group, Member } from './member.ts'
import type { OutlierDetection } from './schema.ts'
import { type Finding, findings } from './sweep.ts'
import { Thinning } from './thinning.ts'
import { type Verdict, verdictOf } from './verdict.ts'

/** Successes in a row that return a target while it is ejected: panic may send it some traffic. */
const SUCCESSES_TO_RETURN = 5

/**
 * Passive outlier detection: what requests show about targets, after Envoy's. It has no timer of its own: `run` does
 * what is due, and `nextDue` says when that will be.
 */
export class OutlierDetector implements HealthSource {
  readonly name = NAME
  /** Called when `nextDue` may have come nearer. */
  sooner: () => void = () => {}
  readonly #fleet: Fleet
  readonly #context: PolicyContext
  readonly #thinning: Thinning
  readonly #ejector: Ejector

  /** @param options of the upstreams that are watched, by name */
  constructor(
    registry: Pick<UpstreamRegistry, 'upstreams' | 'changed' | 'announce'>,
    options: ReadonlyMap<string, OutlierDetection>,
    context: PolicyContext,
  ) {
    this.#context = context
    this.#fleet = new Fleet(registry, options, context.now)
    this.#thinning = new Thinning((target) => registry.changed(target))
    this.#ejector = new Ejector(registry, context)
  }

  allows(target: Target): boolean {
    return this.#fleet.member(target)?.ejection === undefined
  }

  veto(): Veto {
    return 'unhealthy'
  }

  share(target: Target): number {
    return (this.#fleet.member(target)?.doubt.step ?? STEPS) / STEPS
  }

  /** Who has come back gets one request at a time until one succeeds, as long as somebody proven is left (Linkerd's probation). */
  admit(target: Target): boolean {
    if (target.waiting === 0) return true
    const member = this.#fleet.member(target)
    return member?.unproven !== true || !member.othersProven
  }

  onOutcome(target: Target, outcome: Outcome, startedAt: number): void {
    const member = this.#fleet.member(target)
    if (member === undefined) return
    const verdict = verdictOf(outcome)
    if (member.tier.group.options.doubt) this.#doubt(member, verdict)
    if (member.ejection !== undefined) {
      this.#whileEjected(member, outcome, verdict)
      return
    }
    member.count(outcome, verdict, startedAt)
    if (verdict === 'failure') this.#failed(member)
    else if (outcome.kind === 'abandoned') this.#unanswered(member, outcome, startedAt)
  }

  /** Another source has something to say. */
  heard({ name, by, target, why }: UpstreamEvent): void {
    if (name !== 'healthy' || by === NAME || target === undefined) return
    const member = this.#fleet.member(target)
    if (member?.ejection !== undefined) this.#ejector.return(member, `${by} says healthy: ${why}`)
  }

  /** Targets of this upstream have come, gone or changed. */
  targetsChanged(upstream: string): void {
    const group = this.#fleet.refresh(upstream, (gone) => this.#ejector.forget(gone))
    if (group !== undefined) this.#ejector.keepOne(group)
  }

  /** Does what is due: returns, sweeps, shares. */
  run(now: number): void {
    this.#ejector.returnDue(now)
    for (const group of this.#fleet.groups) {
      if (now >= group.sweptAt + group.options.interval) this.#sweep(group, now)
    }
    this.#thinning.review(now)
  }

  /** Monotonic milliseconds. */
  nextDue(): number {
    let due = Math.min(this.#thinning.dueAt, this.#ejector.nextReturn())
    for (const { sweptAt, options } of this.#fleet.groups) due = Math.min(due, sweptAt + options.interval)
    return due
  }

  /** Compares the targets of each tier by what they did since the last time. */
  #sweep(group: Group, now: number): void {
    for (const tier of group.tiers.values()) {
      for (const finding of findings(tier)) this.#found(finding)
      for (const member of tier.members) {
        // Envoy's: one is forgotten for each interval in which a target was in and nothing was wrong.
        const well = member.ejection === undefined && member.inSince <= group.sweptAt && !member.troubled
        if (well) member.times = Math.max(0, member.times - 1)
        member.doubt.active(now)
        member.reset()
      }
    }
    group.sweptAt = now
  }

  #failed(member: Member): void {
    const { failures, enforce } = member.tier.group.options.consecutive
    const { failuresInRow, unproven } = member
    if (failuresInRow < fewer(failures, unproven)) return
    member.troubled = true
    if (member.failsLikeAll || !this.#ejector.heeds(member, enforce)) return
    const counted = failuresInRow === 1 ? '1 failure' : `${failuresInRow} failures in a row`
    const why = unproven ? `${counted} since it returned` : counted
    this.#found({ member, kind: 'failing', why, enforce, quickMs: Number.POSITIVE_INFINITY })
  }

  #unanswered(
    member: Member,
    { overtakenAfterMs, silentMs = 0 }: Outcome & { kind: 'abandoned' },
    startedAt: number,
  ): void {
    if (overtakenAfterMs === undefined && !member.waitedInVain(silentMs, startedAt)) return
    const { overtaken, enforce } = member.tier.group.options.consecutive
    const now = this.#context.now()
    member.unanswered(startedAt, now)
    if (!member.isSilent(fewer(overtaken, member.unproven), now)) return
    member.troubled = true
    if (!this.#ejector.heeds(member, enforce)) return
    const { unansweredInRow } = member
    const why = `no answer ${unansweredInRow === 1 ? 'once' : `${unansweredInRow} times in a row`}: overtaken or given up`
    this.#found({ member, kind: 'silent', why, enforce, quickMs: overtakenAfterMs ?? silentMs })
  }

  #found(finding: Finding): void {
    if (this.#ejector.found(finding)) this.sooner()
  }

  #doubt(member: Member, verdict: Verdict): void {
    if (verdict === 'nothing' || verdict === 'given-up') return
    if (verdict === 'success') {
      member.doubt.success(this.#context.now)
      return
    }
    const due = this.#thinning.dueAt
    this.#thinning.failed(member, this.#context.now())
    if (this.#thinning.dueAt < due) this.sooner()
  }

  #whileEjected(member: Member, outcome: Outcome, verdict: Verdict): void {
    if (verdict === 'nothing' || verdict === 'given-up') return
    const ejection = member.ejection as NonNullable<Member['ejection']>
    if (verdict !== 'success' || outcome.kind !== 'answered' || outcome.latencyMs >= ejection.quickMs) {
      ejection.successes = 0
      return
    }
    // What was under way at the ejection is part of what led to it.
    if (this.#context.now() - outcome.latencyMs < ejection.at) return
    if (++ejection.successes >= SUCCESSES_TO_RETURN) {
      this.#ejector.return(member, `${SUCCESSES_TO_RETURN} successes in a row while it was ejected`)
    }
  }
}
