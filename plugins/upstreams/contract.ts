/**
 * Where all concerns meet. A balancer, a health source, a failover policy or a listener is written
 * against these interfaces and against nothing else; ours are registered the way a stranger's are.
 */

import type { Schema } from '../config/typed.ts'
import type { DefinedBalancer } from './balancers.ts'
import type { Binding } from './binding.ts'
import type { Division, Standing } from './division.ts'
import type { Listener, Opinion, TargetChange, UpstreamEvent } from './events.ts'
import type { KeyedRequest } from './exchange.ts'
import type { FailoverPolicy } from './failover-policy.ts'
import type { HealthSource } from './health-source.ts'
import type { Collector } from './measures.ts'

/** The only clock and the only dice that a policy may use, so that it runs in virtual time under a seed. */
export interface PolicyContext {
  /** Monotonic time in milliseconds. */
  now(): number
  /** Uniform in [0, 1). */
  random(): number
}

/** One server of an upstream. Kept by the registry; everyone else reads. */
export interface Target {
  /** Unique within its upstream and stable over the target's life. */
  readonly id: string
  /** Name of the upstream that it belongs to. */
  readonly upstream: string
  /** `http://host:port`, `https://host:port` or `unix:/path/to.sock`. */
  readonly origin: string
  /**
   * As configured or last set; at least 0. Only weighted policies look at it, but one of 0 is picked by none as long
   * as others of the upstream have weight.
   */
  readonly weight: number
  /** 0 is used first. */
  readonly tier: number
  /** Where it stands, as configured; '' if nothing is said. */
  readonly zone: string
  /** Attempts under way, queued ones and open tunnels included. */
  readonly inflight: number
  /** Those of them that are tunnels (upgrades), open ones and handshakes. */
  readonly tunnels: number
  /** Those of them that nothing was heard of yet: no response head, no failure. */
  readonly waiting: number
  /**
   * Monotonic milliseconds: when the target last gave a sign of life, or when it began to be waited for if that
   * was later. Says something only while `waiting` is above 0.
   */
  readonly quietSince: number
  /** True once it takes no new requests and only finishes what it has. */
  readonly draining: boolean
  /** 0..1 of its usual traffic that it is sent now. The registry sees to it, whatever the policy. */
  readonly share: number
  /** As the last snapshot has it. */
  readonly standing: Standing
}

/** The targets that may be picked now. A snapshot: rebuilt when something changed, never per request. */
export type Candidates = readonly [Target, ...Target[]]

export type FailureReason = 'connect' | 'timeout' | 'reset' | 'protocol' | 'overflow'

/**
 * What an attempt came to. `latencyMs` counts from the lease to the response headers (answered)
 * or to the failure. `retryAfterMs` is what a 429 or 503 asked for (Retry-After).
 * `requestSent` is false only if no byte can have reached the target.
 * `abandoned`: the client left or another attempt won; it counts neither for nor against the target. But if the
 * winner began later, `overtakenAfterMs` says how long this one had been waited for: that is evidence. And if it was
 * given up before the target gave any sign of life, `silentMs` says how long that had been waited for, a client that is
 * slow with its own request left out: clients rarely wait until a time-out of ours.
 */
export type Outcome =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly latencyMs: number
      readonly retryAfterMs?: number
      /** The target's own word on its load: the header `endpoint-load-metrics` (ORCA), as it came. */
      readonly loadReport?: string
    }
  | {
      readonly kind: 'failed'
      readonly reason: FailureReason
      readonly requestSent: boolean
      readonly latencyMs: number
    }
  | { readonly kind: 'abandoned'; readonly overtakenAfterMs?: number; readonly silentMs?: number }

/** What a policy may know of the request that is to be placed. */
export interface LeaseRequest {
  /** Hash key of the request ('' where the upstream wants none). */
  readonly key: string
  /** The session that it belongs to, if there is one. */
  readonly binding?: Binding | undefined
  /** Whether sending it a second time does no harm. */
  readonly repeatable: boolean
  /** Targets already tried in this exchange: used again only when no other can be had, not even one that is believed to fail. */
  readonly tried: ReadonlySet<Target>
  /** Only a target that was not tried yet will do (a hedge). Default false. */
  readonly elsewhere?: boolean
  /** Only a target of a tier that is in use will do: not one of a tier in reserve, nor one that is believed to fail as a last resort. Default false. */
  readonly inUse?: boolean
  /** It is an upgrade: it has a bound of its own, and takes no request's place. Default false. */
  readonly tunnel?: boolean
}

/** How one target is chosen among candidates. */
export interface Balancer {
  /** The snapshot changed: build tables here. Called before the first `pick`, then on every change. */
  onTargets?(candidates: Candidates): void
  /** Synchronous, and without allocation where it can be. The registry deals with targets already tried. */
  pick(candidates: Candidates, request: LeaseRequest): Target
  /** `target.inflight` has changed, whoever placed the request. */
  onInflight?(target: Target): void
  onOutcome?(target: Target, outcome: Outcome): void
}

/**
 * The registry's word that an attempt may use `target`. Settled once and released once; calling either
 * again does nothing, so that a failure path need not know how far another one got.
 */
export interface Lease {
  readonly target: Target
  /** The target has sent its response head: it lives. `settle` says so too, unless the attempt was abandoned. */
  heard(): void
  settle(outcome: Outcome): void
  release(): void
}

/** No lease: `empty`, no target is eligible; `overloaded`, all that are eligible are full. */
export type LeaseRefusal = 'empty' | 'overloaded'

/** Parameters of a target added while running. */
export interface TargetSpec {
  readonly origin: string
  /** Default 1. */
  readonly weight?: number
  /** Default 0. */
  readonly tier?: number
  /** Default ''. */
  readonly zone?: string
}

/** One upstream as others see it. */
export interface Upstream {
  readonly name: string
  readonly targets: readonly Target[]
  /** What `LeaseRequest.key` is for this request; '' where nobody asked for keys (`registry.keyBy`). */
  keyOf(request: KeyedRequest): string
  /** What `LeaseRequest.binding` is for this request (`registry.bindBy`). */
  bindingOf(request: KeyedRequest): Binding | undefined
  /** Takes a target for one attempt, or says why there is none. */
  lease(request: LeaseRequest): Lease | LeaseRefusal
  /** Throws if a target of this origin is there already or the origin is not one. */
  add(spec: TargetSpec): Target
  /** 0 keeps the target and its sessions, but places nothing new there as long as others have weight. Throws below 0 and above 1,000,000. */
  setWeight(target: Target, weight: number): void
  /** No new requests while anybody wants that (`by`, default the operator); resolves when the last one has ended. */
  drain(target: Target, by?: string): Promise<void>
  /** Takes new requests again, unless others than `by` want it drained; without `by` whoever does. */
  undrain(target: Target, by?: string): void
  /** Drains, then forgets the target. */
  remove(target: Target): Promise<void>
  /** Targets that a request which came now could get, over all tiers in use; in panic, unhealthy ones too. */
  eligible(): readonly Target[]
  /**
   * Whether a request that came now could get a target that is wanted, from a tier in reserve if need be.
   * @param asLastResort or one that is believed to fail, which is tried when all others have been. Default false
   */
  offers(wanted: (target: Target) => boolean, asLastResort?: boolean): boolean
  /** Whether nobody doubts that this target works now (`HealthSource.trusts`). */
  trusts(target: Target): boolean
}

/**
 * Names and options of the balancers there are. A plugin that defines one adds its name by declaration
 * merging, and it then autocompletes in `gateway.config.ts`.
 */
export interface BalancerOptions {}

export type BalancerFactory<O = unknown> = (context: PolicyContext, options: O) => Balancer

export interface UpstreamRegistry {
  /** One that takes no options. Throws if the name is taken. `create` runs once per upstream, tier and part of it. */
  defineBalancer(name: string, create: (context: PolicyContext) => Balancer): void
  /**
   * One with options: `schema`, written with the kit of `plugins/config/kit.ts`, checks them at the start, and `create`
   * gets them read, with defaults. What no schema can say it may refuse by throwing.
   */
  defineBalancer<N extends string, R>(
    name: N,
    create: BalancerFactory<R>,
    schema: Schema<N extends keyof BalancerOptions ? BalancerOptions[N] : unknown, R>,
  ): void
  addHealthSource(source: HealthSource): void
  /** What is held against a target now, and by whom. For those who look at it: asks all sources. */
  opinionsOn(target: Target): readonly Opinion[]
  /**
   * Says which balancer an upstream uses; without it, targets are taken in turn. The name may be defined
   * later, but before the server is ready. Throws if there is no such upstream.
   * @param divide left out: one balancer has the whole tier
   */
  balance(upstream: string, policy: string, options: unknown, divide?: Division): void
  /** Says how the hash key of a request to this upstream is found. Throws if there is no such upstream. */
  keyBy(upstream: string, key: (request: KeyedRequest) => string): void
  /** Says which session a request to this upstream belongs to. Throws if there is no such upstream. */
  bindBy(upstream: string, binding: (request: KeyedRequest) => Binding | undefined): void
  /** Those defined so far, by name. */
  readonly balancers: ReadonlyMap<string, DefinedBalancer>
  /** A health source has changed its mind about this target. */
  changed(target: Target): void
  /** Throws if there is one already. */
  useFailover(policy: FailoverPolicy): void
  readonly failover: FailoverPolicy | undefined
  /** Hears every settled outcome. */
  subscribe(listener: Listener): void
  /** Tells of a decision or a change; those who listen hear of it at once, the log has it. */
  announce(event: UpstreamEvent): void
  onEvent(listener: (event: UpstreamEvent) => void): void
  /** Hears of targets that come, go or change. */
  onTargetChange(listener: (change: TargetChange) => void): void
  /** Shows numbers to whoever looks at them. Throws if the name is taken. */
  measure(collector: Collector): void
  readonly collectors: readonly Collector[]
  /** Throws if there is no such upstream. */
  upstream(name: string): Upstream
  readonly upstreams: ReadonlyMap<string, Upstream>
}
