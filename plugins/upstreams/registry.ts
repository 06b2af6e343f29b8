import type { Schema } from '../config/typed.ts'
import { type DefinedBalancer, defined } from './balancers.ts'
import type { Binding } from './binding.ts'
import type {
  BalancerFactory,
  PolicyContext,
  Target,
  TargetSpec,
  Upstream,
  UpstreamRegistry,
} from './contract.ts'
import type { Division } from './division.ts'
import type { Listener, Opinion, TargetChange, UpstreamEvent } from './events.ts'
import type { KeyedRequest } from './exchange.ts'
import type { FailoverPolicy } from './failover-policy.ts'
import type { HealthSource } from './health-source.ts'
import type { Collector } from './measures.ts'
import { SafeBalancer } from './safe-balancer.ts'
import { safeSource } from './safe-source.ts'
import { UpstreamState } from './upstream.ts'

/** An upstream as it is configured. */
export interface UpstreamSpec {
  readonly targets: readonly TargetSpec[]
  /** Attempts that one target may have under way, queued ones included. */
  readonly capacity: number
  /** Tunnels that one target may have besides. Default no limit. */
  readonly tunnels?: number
  /** Part of a tier below which health is set aside. Default 0: never. */
  readonly panicThreshold?: number
  /** Milliseconds that a tier must have been better for before it is given more traffic again. Default 0. */
  readonly failBackAfter?: number
}

function rethrow(error: unknown): never {
  throw error
}

interface Wanted {
  readonly policy: string
  readonly options: unknown
  readonly divide: Division | undefined
}

/** Hears of a fault of a policy or a listener: it is not the request's, nor the process's. */
export type Report = (error: unknown, who: string) => void

/** The upstreams that all concerns share. */
export class Registry implements UpstreamRegistry {
  readonly upstreams: ReadonlyMap<string, UpstreamState>
  readonly balancers = new Map<string, DefinedBalancer>()
  readonly collectors: Collector[] = []
  failover: FailoverPolicy | undefined
  readonly #healthSources: HealthSource[] = []
  readonly #listeners: Listener[] = []
  readonly #changeListeners: ((change: TargetChange) => void)[] = []
  readonly #eventListeners: ((event: UpstreamEvent) => void)[] = []
  readonly #report: Report
  readonly #wanted = new Map<UpstreamState, Wanted>()

  /** @param report hears of the faults of policies and listeners, and whose they are. Default: they are thrown */
  constructor(
    context: PolicyContext,
    specs: Readonly<Record<string, UpstreamSpec>>,
    report: Report = rethrow,
  ) {
    this.#report = report
    const around = {
      context,
      healthSources: this.#healthSources,
      listeners: this.#listeners,
      told: (change: TargetChange) => {
        for (const listener of this.#changeListeners) {
          try {
            listener(change)
          } catch (error) {
            report(error, 'who hears of targets')
          }
        }
      },
      announce: (event: UpstreamEvent) => this.announce(event),
      report,
    }
    this.upstreams = new Map(
      Object.entries(specs).map(([name, spec]) => {
        const upstream = new UpstreamState(name, around, spec)
        for (const target of spec.targets) upstream.add(target)
        return [name, upstream]
      }),
    )
  }

  defineBalancer(name: string, create: BalancerFactory<never>, schema?: Schema<unknown, unknown>): void {
    if (this.balancers.has(name))
      throw new Error(`a balancer named "${name}" is defined already; take another name`)
    const balancer = defined(create, schema)
    this.balancers.set(name, balancer)
    for (const [upstream, { policy }] of this.#wanted) if (policy === name) this.#useBalancer(upstream)
  }

  balance(name: string, policy: string, options: unknown, divide?: Division): void {
    const upstream = this.#state(name)
    this.#wanted.set(upstream, { policy, options, divide })
    this.#useBalancer(upstream)
  }

  keyBy(name: string, key: (request: KeyedRequest) => string): void {
    this.#state(name).keyOf = key
  }

  bindBy(name: string, binding: (request: KeyedRequest) => Binding | undefined): void {
    this.#state(name).bindingOf = binding
  }

  addHealthSource(source: HealthSource): void {
    this.#healthSources.push(
      safeSource(source, (error) => this.#report(error, `the health source "${source.name}"`)),
    )
    for (const upstream of this.upstreams.values()) upstream.invalidate()
  }

  opinionsOn(target: Target): readonly Opinion[] {
    return this.#healthSources
      .map((source) => ({
        by: source.name,
        veto: source.allows(target) ? undefined : (source.veto?.(target) ?? 'unhealthy'),
        share: source.share?.(target) ?? 1,
      }))
      .filter(({ veto, share }) => veto !== undefined || share < 1)
  }

  changed(target: Target): void {
    this.#state(target.upstream).invalidate(target)
  }

  useFailover(policy: FailoverPolicy): void {
    if (this.failover !== undefined)
      throw new Error(
        'a failover policy is in use already, and there can be one; take out plugins/failover, or the other one',
      )
    this.failover = policy
  }

  subscribe(listener: Listener): void {
    this.#listeners.push(listener)
  }

  announce(event: UpstreamEvent): void {
    for (const listener of this.#eventListeners) {
      try {
        listener(event)
      } catch (error) {
        // Who decides must not fail because somebody who hears of it does.
        this.#report(error, 'who hears of events')
      }
    }
  }

  onEvent(listener: (event: UpstreamEvent) => void): void {
    this.#eventListeners.push(listener)
  }

  onTargetChange(listener: (change: TargetChange) => void): void {
    this.#changeListeners.push(listener)
  }

  measure(collector: Collector): void {
    if (this.collectors.some(({ name }) => name === collector.name))
      throw new Error(`"${collector.name}" is measured already; take another name`)
    this.collectors.push(collector)
  }

  upstream(name: string): Upstream {
    return this.#state(name)
  }

  /** The one that is wanted there, once it is defined. */
  #useBalancer(upstream: UpstreamState): void {
    const { policy, options, divide } = this.#wanted.get(upstream) as Wanted
    const balancer = this.balancers.get(policy)
    if (balancer === undefined) return
    const failed = (error: unknown): void =>
      this.#report(error, `the balancer "${policy}" of the upstream "${upstream.name}"`)
    upstream.balanceBy((context) => new SafeBalancer(() => balancer.create(context, options), failed), divide)
  }

  #state(name: string): UpstreamState {
    const upstream = this.upstreams.get(name)
    if (upstream === undefined) throw new RangeError(`no upstream is named "${name}"`)
    return upstream
  }
}
