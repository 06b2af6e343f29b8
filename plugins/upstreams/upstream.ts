import type {
  Balancer,
  BalancerFactory,
  Candidates,
  HealthSource,
  Lease,
  LeaseRefusal,
  LeaseRequest,
  Listener,
  Outcome,
  PolicyContext,
  Target,
  TargetChange,
  TargetSpec,
  Upstream,
} from './contract.ts'
import { originProblem } from './origin.ts'
import { TargetState } from './target.ts'
import { tierShares } from './tiers.ts'

/** How often a balancer is asked again when what it picked cannot be had, before the registry looks itself. */
const REPICKS = 3

/** What an upstream shares with the other upstreams of its registry. */
export interface Surroundings {
  readonly context: PolicyContext
  readonly healthSources: readonly HealthSource[]
  readonly listeners: readonly Listener[]
  told(change: TargetChange): void
}

interface Tier {
  readonly balancer: Balancer
  readonly candidates: readonly [TargetState, ...TargetState[]]
  /** Upper end of this tier's stretch of [0, 1). */
  readonly upTo: number
}

function inTurn(): Balancer {
  let turn = 0
  return {
    pick(candidates) {
      turn = (turn + 1) % candidates.length
      return candidates[turn] ?? candidates[0]
    },
  }
}

class LeaseState implements Lease {
  readonly target: TargetState
  readonly #upstream: UpstreamState
  #settled = false
  #released = false

  constructor(upstream: UpstreamState, target: TargetState) {
    this.#upstream = upstream
    this.target = target
  }

  settle(outcome: Outcome): void {
    if (this.#settled) return
    this.#settled = true
    this.#upstream.settled(this.target, outcome)
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    // A permit that was spent on this attempt must come back, whichever path forgot to say how it ended.
    this.settle(ABANDONED)
    this.target.leave()
  }
}

const ABANDONED: Outcome = { kind: 'abandoned' }

/** The targets of one upstream and the snapshot of those that may be picked. */
export class UpstreamState implements Upstream {
  readonly name: string
  readonly #around: Surroundings
  readonly #capacity: number
  readonly #balancers = new Map<number, Balancer>()
  #create: (() => Balancer) | undefined
  #targets: TargetState[] = []
  #tiers: Tier[] = []
  #stale = true

  /** @param capacity attempts that one target may have under way, queued ones included */
  constructor(name: string, around: Surroundings, capacity: number) {
    this.name = name
    this.#around = around
    this.#capacity = capacity
  }

  get targets(): readonly Target[] {
    return this.#targets
  }

  balanceBy(create: BalancerFactory<never>, options: unknown): void {
    this.#create = () => create(this.#around.context, options as never)
    this.#balancers.clear()
    this.#stale = true
  }

  lease(request: LeaseRequest): Lease | LeaseRefusal {
    if (this.#stale) this.#rebuild()
    const tiers = this.#tiers
    const first = tiers[0]
    if (first === undefined) return 'empty'
    let target: TargetState | undefined
    if (tiers.length === 1) {
      target = this.#place(first, request)
    } else {
      const dice = this.#around.context.random()
      const chosen = tiers.find(({ upTo }) => dice < upTo) ?? first
      target = this.#place(chosen, request)
      for (let i = 0; target === undefined && i < tiers.length; i++) {
        const tier = tiers[i] as Tier
        if (tier !== chosen) target = this.#place(tier, request)
      }
    }
    if (target === undefined && request.tried.size > 0) target = this.#placeAgain(request)
    if (target === undefined) return 'overloaded'
    target.inflight++
    return new LeaseState(this, target)
  }

  add(spec: TargetSpec): Target {
    const problem = originProblem(spec.origin)
    if (problem !== undefined) throw new RangeError(problem)
    if (this.#targets.some(({ origin }) => origin === spec.origin)) {
      throw new RangeError(`upstream "${this.name}" has a target "${spec.origin}" already`)
    }
    const target = new TargetState(this.name, spec)
    this.#targets.push(target)
    this.#changed('added', target)
    return target
  }

  setWeight(target: Target, weight: number): void {
    if (!(weight >= 0 && Number.isFinite(weight)))
      throw new RangeError(`weight must be 0 or more, is ${weight}`)
    const own = this.#own(target)
    own.weight = weight
    this.#changed('changed', own)
  }

  drain(target: Target): Promise<void> {
    const own = this.#own(target)
    if (!own.draining) {
      own.draining = true
      this.#changed('draining', own)
    }
    return own.idle()
  }

  undrain(target: Target): void {
    const own = this.#own(target)
    own.draining = false
    this.#changed('changed', own)
  }

  async remove(target: Target): Promise<void> {
    const own = this.#own(target)
    await this.drain(own)
    // It may have been taken back into service, or removed by someone else, while it drained.
    if (!own.draining || !this.#targets.includes(own)) return
    this.#targets = this.#targets.filter((one) => one !== own)
    this.#changed('removed', own)
  }

  eligible(): readonly Target[] {
    if (this.#stale) this.#rebuild()
    return this.#tiers.flatMap(({ candidates }) => candidates)
  }

  /** The snapshot no longer holds. It is rebuilt when the next request asks, so that many changes cost one. */
  invalidate(): void {
    this.#stale = true
  }

  settled(target: TargetState, outcome: Outcome): void {
    this.#balancers.get(target.tier)?.onOutcome?.(target, outcome)
    for (const source of this.#around.healthSources) source.onOutcome?.(target, outcome)
    for (const listener of this.#around.listeners) listener(target, outcome)
  }

  #own(target: Target): TargetState {
    const own = this.#targets.find((one) => one === target)
    if (own === undefined) throw new RangeError(`"${target.origin}" is no target of upstream "${this.name}"`)
    return own
  }

  #changed(kind: TargetChange['kind'], target: TargetState): void {
    this.#stale = true
    this.#around.told({ kind, target })
  }

  #takes(target: TargetState, request: LeaseRequest, thin: boolean): boolean {
    if (target.inflight >= this.#capacity) return false
    if (request.tried.size > 0 && request.tried.has(target)) return false
    if (thin && target.share < 1 && this.#around.context.random() >= target.share) return false
    return this.#admits(target, request)
  }

  #admits(target: TargetState, request: LeaseRequest): boolean {
    for (const source of this.#around.healthSources) {
      if (source.admit !== undefined && !source.admit(target, request)) return false
    }
    return true
  }

  #place({ balancer, candidates }: Tier, request: LeaseRequest): TargetState | undefined {
    for (let i = 0; i < REPICKS; i++) {
      const target = balancer.pick(candidates, request) as TargetState
      if (this.#takes(target, request, true)) return target
    }
    return this.#leastBusy(candidates, (target) => target.share > 0 && this.#takes(target, request, false))
  }

  /** Every target has been tried: better a second try at one than none at all. */
  #placeAgain(request: LeaseRequest): TargetState | undefined {
    const everyone = this.#tiers.flatMap(({ candidates }) => candidates)
    return this.#leastBusy(
      everyone,
      (target) => target.inflight < this.#capacity && this.#admits(target, request),
    )
  }

  #leastBusy(
    targets: readonly TargetState[],
    takes: (target: TargetState) => boolean,
  ): TargetState | undefined {
    return targets.toSorted((a, b) => a.inflight - b.inflight).find(takes)
  }

  #rebuild(): void {
    this.#stale = false
    const sources = this.#around.healthSources
    const levels: { total: number; eligible: TargetState[] }[] = []
    for (const target of this.#targets) {
      levels[target.tier] ??= { total: 0, eligible: [] }
      const level = levels[target.tier] as { total: number; eligible: TargetState[] }
      level.total++
      target.share = sources.reduce((least, source) => Math.min(least, source.share?.(target) ?? 1), 1)
      if (!target.draining && sources.every((source) => source.allows(target))) level.eligible.push(target)
    }
    const shares = tierShares(
      Array.from(levels, (level) => ({ eligible: level?.eligible.length ?? 0, total: level?.total ?? 0 })),
    )
    this.#tiers = []
    let upTo = 0
    for (const [number, share] of shares.entries()) {
      if (share === 0) continue
      upTo += share
      const candidates = levels[number]?.eligible as unknown as Tier['candidates']
      this.#tiers.push({ balancer: this.#balancer(number, candidates), candidates, upTo })
    }
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
