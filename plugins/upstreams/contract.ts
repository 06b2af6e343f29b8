/**
 * Where all concerns meet. A balancer, a health source, a failover policy or a listener is written
 * against these interfaces and against nothing else; ours are registered the way a stranger's are.
 */

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
  /** As configured or last set; at least 0. Only weighted policies look at it. */
  readonly weight: number
  /** 0 is used first. */
  readonly tier: number
  /** Attempts under way, queued ones included. */
  readonly inflight: number
  /** True once it takes no new requests and only finishes what it has. */
  readonly draining: boolean
  /** 0..1 of its usual traffic that it is sent now. The registry sees to it, whatever the policy. */
  readonly share: number
}

/** The targets that may be picked now. A snapshot: rebuilt when something changed, never per request. */
export type Candidates = readonly [Target, ...Target[]]

export type FailureReason = 'connect' | 'timeout' | 'reset' | 'protocol' | 'overflow'

/**
 * What an attempt came to. `latencyMs` counts from the lease to the response headers (answered)
 * or to the failure. `requestSent` is false only if no byte can have reached the target.
 * `abandoned`: the client left or another attempt won; it says nothing about the target.
 */
export type Outcome =
  | { readonly kind: 'answered'; readonly status: number; readonly latencyMs: number }
  | {
      readonly kind: 'failed'
      readonly reason: FailureReason
      readonly requestSent: boolean
      readonly latencyMs: number
    }
  | { readonly kind: 'abandoned' }

/** What a policy may know of the request that is to be placed. */
export interface LeaseRequest {
  /** Hash key of the request ('' where the route has none). */
  readonly key: string
  /** Whether sending it a second time does no harm. */
  readonly repeatable: boolean
  /** Targets already tried in this exchange. */
  readonly tried: ReadonlySet<Target>
}

/** How one target is chosen among candidates. */
export interface Balancer {
  /** The snapshot changed: build tables here. Called before the first `pick`, then on every change. */
  onTargets?(candidates: Candidates): void
  /** Synchronous, and without allocation where it can be. The registry deals with targets already tried. */
  pick(candidates: Candidates, request: LeaseRequest): Target
  onOutcome?(target: Target, outcome: Outcome): void
}

/** An opinion on which targets may be used. Several may speak: any veto wins, the smallest share wins. */
export interface HealthSource {
  readonly name: string
  /** Asked when a snapshot is built. A question: changes nothing. Tell a change of mind with `registry.changed`. */
  allows(target: Target): boolean
  /** 0..1 of the target's usual traffic (slow start, a doubt). Default 1. Asked when a snapshot is built. */
  share?(target: Target): number
  /** Asked of the picked target only: where a half-open breaker spends a permit. `false` means pick another. */
  admit?(target: Target, request: LeaseRequest): boolean
  onOutcome?(target: Target, outcome: Outcome): void
}

/** Facts about an attempt that a failover policy decides from. */
export interface Attempt {
  readonly upstream: string
  readonly target: Target
  /** 1 for the first attempt of the exchange. */
  readonly number: number
  readonly method: string
  /** The method is idempotent (RFC 9110, 9.2.2) or the route says that repeating does no harm. */
  readonly repeatable: boolean
  /** The body is held whole or there is none; false once a streamed byte is gone. */
  readonly replayable: boolean
  /** Milliseconds since the exchange began. */
  readonly elapsedMs: number
}

/** Whether and when another attempt is made. Without one an exchange has a single attempt. */
export interface FailoverPolicy {
  decide(attempt: Attempt, outcome: Outcome): { retry: false } | { retry: true; delayMs: number }
}

/**
 * The registry's word that an attempt may use `target`. Settled once and released once; calling either
 * again does nothing, so that a failure path need not know how far another one got.
 */
export interface Lease {
  readonly target: Target
  settle(outcome: Outcome): void
  release(): void
}

/** No lease: `empty`, no target is eligible; `overloaded`, all that are eligible are full. */
export type LeaseRefusal = 'empty' | 'overloaded'

export type Listener = (target: Target, outcome: Outcome) => void

export interface TargetChange {
  readonly kind: 'added' | 'draining' | 'removed' | 'changed'
  readonly target: Target
}

/** Parameters of a target added while running. */
export interface TargetSpec {
  readonly origin: string
  /** Default 1. */
  readonly weight?: number
  /** Default 0. */
  readonly tier?: number
}

/** One upstream as others see it. */
export interface Upstream {
  readonly name: string
  readonly targets: readonly Target[]
  /** Takes a target for one attempt, or says why there is none. */
  lease(request: LeaseRequest): Lease | LeaseRefusal
  /** Throws if a target of this origin is there already or the origin is not one. */
  add(spec: TargetSpec): Target
  /** 0 keeps the target but sends it nothing under weighted policies. Throws below 0. */
  setWeight(target: Target, weight: number): void
  /** No new requests from now on; resolves when the last one under way has ended. */
  drain(target: Target): Promise<void>
  /** Takes new requests again. */
  undrain(target: Target): void
  /** Drains, then forgets the target. */
  remove(target: Target): Promise<void>
  /** Targets that a request which came now could get, over all tiers in use. */
  eligible(): readonly Target[]
}

/**
 * Names and options of the balancers there are. A plugin that defines one adds its name by declaration
 * merging, and it then autocompletes in `gateway.config.ts`.
 */
export interface BalancerOptions {}

export type BalancerFactory<O = unknown> = (context: PolicyContext, options: O) => Balancer

export interface UpstreamRegistry {
  /** Throws if the name is taken. `create` runs once per upstream and tier, and may refuse its options by throwing. */
  defineBalancer<N extends string>(
    name: N,
    create: BalancerFactory<N extends keyof BalancerOptions ? BalancerOptions[N] : unknown>,
  ): void
  addHealthSource(source: HealthSource): void
  /**
   * Says which balancer an upstream uses; without it, targets are taken in turn. The name may be defined
   * later, but before the server is ready. Throws if there is no such upstream.
   */
  balance(upstream: string, policy: string, options: unknown): void
  /** Names of the balancers defined so far. */
  readonly balancers: ReadonlyMap<string, BalancerFactory<never>>
  /** A health source has changed its mind about this target. */
  changed(target: Target): void
  /** Throws if there is one already. */
  useFailover(policy: FailoverPolicy): void
  readonly failover: FailoverPolicy | undefined
  /** Hears every settled outcome. */
  subscribe(listener: Listener): void
  /** Hears of targets that come, go or change. */
  onTargetChange(listener: (change: TargetChange) => void): void
  /** Throws if there is no such upstream. */
  upstream(name: string): Upstream
  readonly upstreams: ReadonlyMap<string, Upstream>
}

/** How an attempt went, for logs, metrics and those who ask why. */
export interface AttemptRecord {
  readonly target: Target
  /** `undefined` while it is under way. */
  outcome: Outcome | undefined
  /** What was done about it. */
  decision: 'commit' | 'retry' | 'give-up' | 'abandon' | undefined
}

/** What the exchange loop must know of a request; the routing makes it. */
export interface ExchangePlan {
  /** Name of the route, for logs and metrics. */
  readonly route: string
  readonly upstream: string
  /** Path and query as the target will see them. */
  readonly path: string
  /** Hash key ('' where the route has none). */
  readonly key: string
  /** The route says that repeating does no harm; undefined leaves it to the method. */
  readonly repeatable: boolean | undefined
  /** Milliseconds for the whole exchange, if the route has its own; 0 is no limit. */
  readonly timeoutMs: number | undefined
  /** Changes the headers that the target will see, in place, as the last one to do so. */
  readonly editRequest: ((headers: Record<string, string | string[] | undefined>) => void) | undefined
  /** A second upstream that is sent a copy, whose answer is ignored. */
  readonly mirror: string | undefined
}

/** One client request and all the attempts made for it. Found on `request.exchange`. */
export interface Exchange {
  readonly plan: ExchangePlan
  readonly attempts: readonly AttemptRecord[]
  /** Milliseconds spent waiting for targets, over all attempts. */
  readonly upstreamMs: number
  /** Takes the first lease. Returns what stands for the upstream in URLs; throws a `GatewayError` if there is no target. */
  begin(): string
  /** Sends the request from these headers on its way; what reply-from is handed as headers. */
  outgoing(
    headers: Record<string, string | string[] | undefined>,
  ): Record<string, string | string[] | undefined>
  /** Rid of what belongs to the connection with the target only. */
  incoming(
    headers: Record<string, string | string[] | undefined>,
  ): Record<string, string | string[] | undefined>
  /** Sends the committed answer's body. */
  answer(body: unknown): void
}
