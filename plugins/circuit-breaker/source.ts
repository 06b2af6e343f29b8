import type { Outcome, PolicyContext, Target, UpstreamRegistry } from '../upstreams/contract.ts'
import type { UpstreamEvent } from '../upstreams/events.ts'
import type { HealthSource, Veto } from '../upstreams/health-source.ts'
import { Breaker, type BreakerOptions, type BreakerState } from './breaker.ts'

export interface CircuitBreakerOptions extends BreakerOptions {
  /** One breaker for each target, or one for all of the upstream. */
  readonly scope: 'target' | 'upstream'
}

/** A breaker and whom it is for. */
interface Circuit {
  readonly breaker: Breaker
  readonly targets: Set<Target>
}

/** Part of `openFor` after which an open breaker tries again if all others of its upstream are open too. */
const SOONER = 0.1

const EVENTS = {
  open: { name: 'breaker-opened', level: 'warn' },
  'half-open': { name: 'breaker-half-open', level: 'info' },
  closed: { name: 'breaker-closed', level: 'info' },
} as const satisfies Record<BreakerState, { name: string; level: 'info' | 'warn' }>

/** The breakers of all upstreams that have some, as one health source. */
export class BreakerSource implements HealthSource {
  readonly name = 'circuit-breaker'
  readonly #optionsOf: (upstream: string) => CircuitBreakerOptions | undefined
  readonly #registry: Pick<UpstreamRegistry, 'announce' | 'changed'>
  readonly #context: PolicyContext
  readonly #wakeAt: (time: number) => void
  readonly #circuits = new Map<Target, Circuit>()
  /** Those of whole upstreams, by name. */
  readonly #shared = new Map<string, Circuit>()
  readonly #open = new Set<Breaker>()

  /**
   * @param optionsOf of an upstream; undefined where it has no breaker
   * @param wakeAt wants `wake` called at that time (monotonic milliseconds); told anew for each breaker that opens
   */
  constructor(
    optionsOf: (upstream: string) => CircuitBreakerOptions | undefined,
    registry: Pick<UpstreamRegistry, 'announce' | 'changed'>,
    context: PolicyContext,
    wakeAt: (time: number) => void,
  ) {
    this.#optionsOf = optionsOf
    this.#registry = registry
    this.#context = context
    this.#wakeAt = wakeAt
  }

  allows(target: Target): boolean {
    return this.state(target) !== 'open'
  }

  veto(): Veto {
    return 'barred'
  }

  trusts(target: Target): boolean {
    const breaker = this.#circuits.get(target)?.breaker
    return breaker === undefined || breaker.state === 'closed' || breaker.starved
  }

  admit(target: Target): boolean {
    return this.#circuits.get(target)?.breaker.admit() ?? true
  }

  onOutcome(target: Target, outcome: Outcome, startedAt: number): void {
    this.#circuits.get(target)?.breaker.settle(outcome, startedAt)
  }

  /** Those that have a breaker. */
  get targets(): Iterable<Target> {
    return this.#circuits.keys()
  }

  state(target: Target): BreakerState {
    return this.#circuits.get(target)?.breaker.state ?? 'closed'
  }

  /** A check that failed passes again: there is no need to wait until the time is over. */
  heard({ name, target }: Pick<UpstreamEvent, 'name' | 'target'>): void {
    if (name === 'healthy' && target !== undefined) this.#circuits.get(target)?.breaker.wakeEarly()
  }

  /** A target has come. */
  follow(target: Target): void {
    const options = this.#optionsOf(target.upstream)
    if (options === undefined) return
    let circuit = this.#shared.get(target.upstream)
    if (circuit === undefined) {
      circuit = this.#circuit(target, options)
      if (options.scope === 'upstream') this.#shared.set(target.upstream, circuit)
    }
    circuit.targets.add(target)
    this.#circuits.set(target, circuit)
  }

  /** A target has gone. */
  forget(target: Target): void {
    const circuit = this.#circuits.get(target)
    if (circuit === undefined) return
    this.#circuits.delete(target)
    circuit.targets.delete(target)
    if (!this.#shared.has(target.upstream)) this.#open.delete(circuit.breaker)
  }

  /** Lets the open breakers whose time is over try again. Returns when the next one's will be. */
  wake(): number {
    let next = Number.POSITIVE_INFINITY
    for (const breaker of this.#open) {
      breaker.wake()
      next = Math.min(next, breaker.dueAt)
    }
    return next
  }

  /** With every target barred there is nobody to be spared by waiting: whoever works again has to be found. */
  #hastenAll(upstream: string, openFor: number): void {
    const all: Breaker[] = []
    for (const [target, { breaker }] of this.#circuits) {
      if (target.upstream !== upstream || target.draining) continue
      if (breaker.state !== 'open') return
      all.push(breaker)
    }
    const time = this.#context.now() + openFor * SOONER
    for (const breaker of all) breaker.hasten(time)
    this.#wakeAt(time)
  }

  #circuit({ upstream }: Target, options: CircuitBreakerOptions): Circuit {
    const targets = new Set<Target>()
    const breaker = new Breaker(options, this.#context, (of, why) => {
      if (of.state === 'open') {
        this.#open.add(of)
        if (options.scope === 'target') this.#hastenAll(upstream, options.openFor)
        this.#wakeAt(of.dueAt)
      } else this.#open.delete(of)
      for (const target of targets) this.#registry.changed(target)
      const [only] = targets
      const about = options.scope === 'target' && only !== undefined ? { target: only } : {}
      this.#registry.announce({ ...EVENTS[of.state], upstream, ...about, by: this.name, why })
    })
    return { breaker, targets }
  }
}
