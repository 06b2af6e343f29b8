import type { Binding } from './binding.ts'
import type {
  Balancer,
  BalancerWrapper,
  Candidates,
  HealthSource,
  Lease,
  LeaseRefusal,
  LeaseRequest,
  Outcome,
  PolicyContext,
  Target,
  TargetSpec,
  Upstream,
} from './contract.ts'
import type { Listener, TargetChange, UpstreamEvent } from './events.ts'
import type { KeyedRequest } from './exchange.ts'
import { FailBack } from './fail-back.ts'
import { inTurn } from './in-turn.ts'
import { LeaseState } from './lease.ts'
import { originProblem, serverOf } from './origin.ts'
import { Placement } from './place.ts'
import type { UpstreamSpec } from './registry.ts'
import { buildSnapshot, shareOf, type Tier, type TierRules, vetoOn } from './snapshot.ts'
import { TargetState } from './target.ts'
import { TierWatch } from './tier-watch.ts'

/** What an upstream shares with the other upstreams of its registry. */
export interface Surroundings {
  readonly context: PolicyContext
  readonly healthSources: readonly HealthSource[]
  readonly listeners: readonly Listener[]
  told(change: TargetChange): void
  announce(event: UpstreamEvent): void
}

/** Who drains a target, if nothing else is said. */
const OPERATOR = 'operator'

/** From so many targets on, a snapshot is kept for a while although something has changed. */
const MANY = 500
/** For so long per target: at some 0.2 us that building takes per target, a tenth of the time at most. */
const REST_MS = 0.002

function checkWeight(weight: number): void {
  if (!(weight >= 0 && Number.isFinite(weight)))
    throw new RangeError(`weight must be 0 or more, is ${weight}`)
}

/** The targets of one upstream and the snapshot of those that may be picked. */
export class UpstreamState implements Upstream {
  readonly name: string
  readonly #around: Surroundings
  readonly #placement: Placement
  readonly #balancers = new Map<number, Balancer>()
  #create: (() => Balancer) | undefined
  /** As `registry.keyBy` has it. */
  keyOf: (request: KeyedRequest) => string = () => ''
  /** As `registry.bindBy` has it. */
  bindingOf: (request: KeyedRequest) => Binding | undefined = () => undefined
  #targets: TargetState[] = []
  readonly #servers = new Set<string>()
  readonly #rules: TierRules
  readonly #watch: TierWatch
  #tiers: readonly Tier[] = []
  #stale = true
  #builtAt = Number.NEGATIVE_INFINITY
  /** Monotonic milliseconds from which the snapshot does not hold any more. */
  #dueAt = Number.POSITIVE_INFINITY

  constructor(
    name: string,
    around: Surroundings,
    { capacity, tunnels, panicThreshold = 0, failBackAfter = 0 }: Omit<UpstreamSpec, 'targets'>,
  ) {
    this.name = name
    this.#around = around
    this.#rules = { panicThreshold, failBack: new FailBack(failBackAfter) }
    this.#watch = new TierWatch(name, (event) => around.announce(event))
    this.#placement = new Placement(around.context, around.healthSources, capacity, tunnels)
  }

  get targets(): readonly Target[] {
    return this.#targets
  }

  balanceBy(create: (context: PolicyContext) => Balancer, wrap: BalancerWrapper | undefined): void {
    const { context } = this.#around
    this.#create = () => (wrap === undefined ? create(context) : wrap(context, () => create(context)))
    this.#balancers.clear()
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
    if (target === undefined && this.#tiers.length === 0) return 'empty'
    return target === undefined ? 'overloaded' : new LeaseState(this, target, request.tunnel)
  }

  add(spec: TargetSpec): Target {
    const problem = originProblem(spec.origin)
    if (problem !== undefined) throw new RangeError(problem)
    const { origin, weight = 1, tier = 0, zone = '' } = spec
    checkWeight(weight)
    if (!Number.isInteger(tier) || tier < 0 || tier > 9) {
      throw new RangeError(`tier must be a whole number from 0 to 9, is ${tier}`)
    }
    if (this.#servers.has(serverOf(origin))) {
      throw new RangeError(`upstream "${this.name}" has a target "${origin}" already`)
    }
    this.#servers.add(serverOf(origin))
    const target = new TargetState(this.name, { origin, weight, tier, zone })
    this.#targets.push(target)
    this.#changed('added', target)
    return target
  }

  setWeight(target: Target, weight: number): void {
    checkWeight(weight)
    const own = this.#own(target)
    if (own.weight === weight) return
    own.weight = weight
    this.#changed('changed', own)
  }

  drain(target: Target, by = OPERATOR): Promise<void> {
    const own = this.#own(target)
    own.drainedBy.add(by)
    if (!own.draining) {
      own.draining = true
      this.#changed('draining', own)
    }
    return own.idle()
  }

  undrain(target: Target, by?: string): void {
    const own = this.#own(target)
    if (by === undefined) own.drainedBy.clear()
    else own.drainedBy.delete(by)
    if (!own.draining || own.drainedBy.size > 0) return
    own.draining = false
    this.#changed('changed', own)
  }

  async remove(target: Target): Promise<void> {
    const own = this.#own(target)
    await this.drain(own)
    // It may have been taken back into service, or removed by someone else, while it drained.
    if (!own.draining || !this.#targets.includes(own)) return
    this.#targets = this.#targets.filter((one) => one !== own)
    this.#servers.delete(serverOf(own.origin))
    this.#changed('removed', own)
  }

  eligible(): readonly Target[] {
    this.#refresh()
    return this.#tiers.flatMap(({ balancer, candidates }) => (balancer === undefined ? [] : candidates))
  }

  offers(wanted: (target: Target) => boolean): boolean {
    this.#refresh()
    return this.#tiers.some(({ candidates }) => candidates.some((one) => one.candidate && wanted(one)))
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
    if (veto === undefined || (veto === 'unhealthy' && own.believedDown)) return
    own.usable = false
    own.candidate = false
  }

  now(): number {
    return this.#around.context.now()
  }

  settled(target: TargetState, outcome: Outcome, startedAt: number): void {
    this.#balancers.get(target.tier)?.onOutcome?.(target, outcome)
    for (const source of this.#around.healthSources) source.onOutcome?.(target, outcome, startedAt)
    for (const listener of this.#around.listeners) listener(target, outcome)
  }

  #own(target: Target): TargetState {
    const own = this.#targets.find((one) => one === target)
    if (own === undefined) throw new RangeError(`"${target.origin}" is no target of upstream "${this.name}"`)
    return own
  }

  #changed(kind: TargetChange['kind'], target: TargetState): void {
    this.invalidate(target)
    this.#around.told({ kind, target })
  }

  #placed(request: LeaseRequest): TargetState | undefined {
    return this.#tiers.length === 0 ? undefined : this.#placement.place(this.#tiers, request)
  }

  #refresh(): void {
    if (!this.#stale && this.#dueAt === Number.POSITIVE_INFINITY) return
    const due = this.#stale ? this.#builtAt + this.#restMs() : this.#dueAt
    if (due === Number.NEGATIVE_INFINITY || this.now() >= due) this.#rebuild()
  }

  /** With thousands of targets something changes for nearly every request: a rebuild for each would be all we did. */
  #restMs(): number {
    const count = this.#targets.length
    return count < MANY ? Number.NEGATIVE_INFINITY : count * REST_MS
  }

  #rebuild(): void {
    this.#stale = false
    this.#builtAt = this.now()
    this.#placement.refresh()
    const snapshot = buildSnapshot(
      this.#targets,
      this.#around.healthSources,
      this.#rules,
      this.now(),
      (tier, candidates) => this.#balancer(tier, candidates),
    )
    this.#tiers = snapshot.tiers
    this.#dueAt = this.#rules.failBack.due
    this.#watch.look(snapshot)
  }

  #balancer(tier: number, candidates: Candidates): Balancer {
    let balancer = this.#balancers.get(tier)
    if (balancer === undefined) {
      balancer = (this.#create ?? inTurn)()
      this.#balancers.set(tier, balancer)
    }
    balancer.onTargets?.(candidates)
    return balancer
  }
}
