import { Admission } from './admission.ts'
import type { Binding } from './binding.ts'
import type {
  Candidates,
  Lease,
  LeaseRefusal,
  LeaseRequest,
  Outcome,
  PolicyContext,
  Target,
  TargetSpec,
  Upstream,
} from './contract.ts'
import type { Division } from './division.ts'
import type { Listener, TargetChange, UpstreamEvent } from './events.ts'
import type { KeyedRequest } from './exchange.ts'
import { FailBack } from './fail-back.ts'
import type { Group } from './groups.ts'
import type { HealthSource } from './health-source.ts'
import { inTurn } from './in-turn.ts'
import { believedDown, lastResort } from './last-resort.ts'
import { LeaseState } from './lease.ts'
import { Placement } from './place.ts'
import type { Report, UpstreamSpec } from './registry.ts'
import { Rest } from './rest.ts'
import { Roster } from './roster.ts'
import { SafeBalancer } from './safe-balancer.ts'
import { buildSnapshot, shareOf, vetoOn } from './snapshot.ts'
import type { TargetState } from './target.ts'
import { TierWatch } from './tier-watch.ts'

/** What an upstream shares with the other upstreams of its registry. */
export interface Surroundings {
  readonly context: PolicyContext
  readonly healthSources: readonly HealthSource[]
  readonly listeners: readonly Listener[]
  told(change: TargetChange): void
  announce(event: UpstreamEvent): void
  readonly report: Report
}

/** The targets of one upstream and the snapshot of those that may be picked. */
export class UpstreamState implements Upstream {
  readonly name: string
  readonly #around: Surroundings
  readonly #roster: Roster
  readonly #admission: Admission
  readonly #placement: Placement
  /** By tier and part of it. */
  readonly #balancers = new Map<string, SafeBalancer>()
  #create: () => SafeBalancer
  #divide: Division | undefined
  /** As `registry.keyBy` has it. */
  keyOf: (request: KeyedRequest) => string = () => ''
  /** As `registry.bindBy` has it. */
  bindingOf: (request: KeyedRequest) => Binding | undefined = () => undefined
  readonly #panicThreshold: number
  readonly #failBack: FailBack
  readonly #watch: TierWatch
  #groups: readonly Group[] = []
  #stale = true
  readonly #rest = new Rest()
  /** Monotonic milliseconds from which the snapshot does not hold any more. */
  #dueAt = Number.POSITIVE_INFINITY

  constructor(
    name: string,
    around: Surroundings,
    {
      capacity,
      tunnels = Number.POSITIVE_INFINITY,
      panicThreshold = 0,
      failBackAfter = 0,
    }: Omit<UpstreamSpec, 'targets'>,
  ) {
    this.name = name
    this.#around = around
    this.#roster = new Roster(name, (change) => {
      this.invalidate(change.target)
      around.told(change)
    })
    this.#create = () => new SafeBalancer(inTurn, () => {})
    this.#panicThreshold = panicThreshold
    this.#failBack = new FailBack(failBackAfter)
    this.#watch = new TierWatch(name, (event) => around.announce(event))
    this.#admission = new Admission(around.context, around.healthSources, capacity, tunnels)
    this.#placement = new Placement(around.context, this.#admission)
  }

  get targets(): readonly Target[] {
    return this.#roster.targets
  }

  balanceBy(create: (context: PolicyContext) => SafeBalancer, divide: Division | undefined): void {
    this.#create = () => create(this.#around.context)
    this.#divide = divide
    this.#balancers.clear()
    for (const target of this.#roster.targets) target.balancer = undefined
    this.#stale = true
  }

  lease(request: LeaseRequest): Lease | LeaseRefusal {
    this.#refresh()
    let target = this.#placed(request)
    // What is not in the snapshot yet may help.
    if (target === undefined && this.#stale) {
      this.#rebuild()
      target = this.#placed(request)
    }
    if (target === undefined && this.#groups.length === 0) return 'empty'
    return target === undefined ? 'overloaded' : new LeaseState(this, target, request.tunnel)
  }

  add(spec: TargetSpec): Target {
    return this.#roster.add(spec)
  }

  setWeight(target: Target, weight: number): void {
    this.#roster.setWeight(target, weight)
  }

  drain(target: Target, by?: string): Promise<void> {
    return this.#roster.drain(target, by)
  }

  undrain(target: Target, by?: string): void {
    this.#roster.undrain(target, by)
  }

  remove(target: Target): Promise<void> {
    return this.#roster.remove(target)
  }

  eligible(): readonly Target[] {
    this.#refresh()
    return this.#groups.flatMap(({ inReserve, candidates }) =>
      inReserve ? [] : candidates.filter(({ candidate }) => candidate),
    )
  }

  offers(wanted: (target: Target) => boolean, asLastResort = false): boolean {
    this.#refresh()
    return this.#hasCandidate(wanted) || (asLastResort && this.#down().some(wanted))
  }

  trusts(target: Target): boolean {
    return this.#admission.trusted(target as TargetState)
  }

  /**
   * The snapshot no longer holds. It is rebuilt when the next request asks, so that many changes cost one.
   * @param target what is said of this one counts at once, even if the snapshot has to wait
   */
  invalidate(target?: Target): void {
    this.#stale = true
    const own = target as TargetState | undefined
    if (own?.usable !== true) return
    const sources = this.#around.healthSources
    own.share = shareOf(own, sources)
    const veto = own.draining ? 'barred' : vetoOn(own, sources)
    if (veto === undefined || (veto === 'unhealthy' && own.standing === 'doubtful')) return
    own.usable = false
    own.candidate = false
  }

  now(): number {
    return this.#around.context.now()
  }

  settled(target: TargetState, outcome: Outcome, startedAt: number): void {
    const { healthSources, listeners, report } = this.#around
    target.balancer?.onOutcome(target, outcome)
    for (const source of healthSources) source.onOutcome?.(target, outcome, startedAt)
    for (const listener of listeners) {
      try {
        listener(target, outcome)
      } catch (error) {
        report(error, 'who hears of outcomes')
      }
    }
  }

  #placed(request: LeaseRequest): TargetState | undefined {
    const { tried, inUse } = request
    if (tried.size > 0 && inUse !== true && !this.#hasCandidate((one) => !tried.has(one))) {
      const target = lastResort(this.#down(), request, this.#admission, this.#around.context.random)
      if (target !== undefined) return target
    }
    return this.#groups.length === 0 ? undefined : this.#placement.place(this.#groups, request)
  }

  #hasCandidate(wanted: (target: Target) => boolean): boolean {
    return this.#groups.some(({ candidates }) => candidates.some((one) => one.candidate && wanted(one)))
  }

  #down(): TargetState[] {
    return believedDown(this.#roster.targets, this.#around.healthSources)
  }

  #refresh(): void {
    if (!this.#stale && this.#dueAt === Number.POSITIVE_INFINITY) return
    const due = this.#stale ? this.#rest.until : this.#dueAt
    if (due === Number.NEGATIVE_INFINITY || this.now() >= due) this.#rebuild()
  }

  #rebuild(): void {
    const began = this.now()
    this.#stale = false
    this.#admission.refresh()
    const snapshot = buildSnapshot(
      this.#roster.targets,
      this.#around.healthSources,
      { panicThreshold: this.#panicThreshold, failBack: this.#failBack, divide: this.#divide },
      began,
      (name, candidates) => this.#balancer(name, candidates),
    )
    this.#groups = snapshot.groups
    this.#dueAt = this.#failBack.due
    this.#rest.built(began, this.now(), this.#roster.targets.length)
    this.#watch.look(snapshot)
  }

  #balancer(name: string, candidates: Candidates): SafeBalancer {
    let balancer = this.#balancers.get(name)
    if (balancer === undefined) {
      balancer = this.#create()
      this.#balancers.set(name, balancer)
    }
    for (const target of candidates) (target as TargetState).balancer = balancer
    balancer.onTargets(candidates)
    return balancer
  }
}
