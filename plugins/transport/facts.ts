import type { Target, Upstream } from '../upstreams/contract.ts'
import type { ExchangePlan } from '../upstreams/exchange.ts'
import type { Attempt } from '../upstreams/failover-policy.ts'
import type { Running } from './running.ts'

/** One object for all of an exchange's questions to its failover policy: one that wants to keep something copies it. */
export class Facts implements Attempt {
  readonly upstream: string
  readonly route: string
  readonly method: string
  readonly repeatable: boolean
  target = undefined as unknown as Target
  number = 0
  made = 0
  replayable = true
  elapsedMs = 0
  readonly #upstream: Upstream
  readonly #plan: ExchangePlan
  readonly #others: (than: Target) => boolean
  #attempt: Running | undefined

  /** @param others whether a target other than that one was not tried yet */
  constructor(
    upstream: Upstream,
    plan: ExchangePlan,
    method: string,
    repeatable: boolean,
    others: (than: Target) => boolean,
  ) {
    this.#upstream = upstream
    this.upstream = plan.upstream
    this.route = plan.route
    this.method = method
    this.repeatable = repeatable
    this.#plan = plan
    this.#others = others
  }

  /** Which attempt is asked about. */
  about(attempt: Running): void {
    this.#attempt = attempt
    this.target = attempt.lease.target
  }

  get stalled(): boolean {
    const { latencyMs, startedAt } = this.#attempt as Running
    if (latencyMs > 0) return true
    return this.target.quietSince <= startedAt && !this.#upstream.trusts(this.target)
  }

  get bound(): boolean {
    return this.#plan.binding !== undefined
  }

  untried(): boolean {
    return this.#others(this.target)
  }
}
