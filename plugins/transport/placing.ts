import type { Lease, LeaseRefusal, LeaseRequest, Target, Upstream } from '../upstreams/contract.ts'
import type { ExchangePlan } from '../upstreams/exchange.ts'

const NONE_TRIED: ReadonlySet<Target> = new Set()

/** Which targets the attempts of one request may have: not the same one twice while there is another. */
export class Placing {
  readonly #upstream: Upstream
  #request: LeaseRequest

  constructor(upstream: Upstream, { key, binding }: ExchangePlan, repeatable: boolean, tunnel: boolean) {
    this.#upstream = upstream
    this.#request = { key, binding, repeatable, tried: NONE_TRIED, tunnel }
  }

  /** @param once its body is gone once it is sent: that makes any method one that cannot be repeated */
  first(once: boolean): Lease | LeaseRefusal {
    const request = this.#request
    return this.#upstream.lease(once && request.repeatable ? { ...request, repeatable: false } : request)
  }

  again(): Lease | LeaseRefusal {
    return this.#upstream.lease(this.#request)
  }

  /**
   * At a target that was not tried yet, or nowhere.
   * @param reserve in a tier in reserve or, as a last resort, one that is believed to fail
   */
  elsewhere(reserve: boolean): Lease | LeaseRefusal {
    return this.#upstream.lease({ ...this.#request, elsewhere: true, inUse: !reserve })
  }

  /** Whether such a target is left. */
  leaves(reserve: boolean): boolean {
    const untried = (target: Target): boolean => !this.#request.tried.has(target)
    return reserve ? this.#upstream.offers(untried, true) : this.#upstream.eligible().some(untried)
  }

  tried(target: Target): void {
    this.#request = { ...this.#request, tried: new Set(this.#request.tried).add(target) }
  }

  /** Whether a target other than this one could be used and was not tried yet. */
  othersThan(target: Target): boolean {
    const { tried } = this.#request
    return this.#upstream.offers((other) => other !== target && !tried.has(other), true)
  }
}
