/** Spares requests the wait for a service of others that does not answer: one that is asked who calls, and what he may. */
import type { PolicyContext } from './contract.ts'

export interface ServiceBreakerOptions {
  /** So many failures in a row stop the asking. */
  readonly failures: number
  /** For how long at first, in milliseconds; doubled each time that it fails again. */
  readonly firstMs: number
  /** And at most. */
  readonly longestMs: number
}

/** Closed, open, and then one request at a time that finds out. */
export class ServiceBreaker {
  readonly #options: ServiceBreakerOptions
  readonly #context: PolicyContext
  #failures = 0
  #openUntil = 0
  #openFor = 0
  #probing = false

  constructor(options: ServiceBreakerOptions, context: PolicyContext) {
    this.#options = options
    this.#context = context
  }

  get open(): boolean {
    return this.#openFor > 0
  }

  /** Whether the service may be asked now. If so, `succeeded`, `failed` or `undecided` has to follow. */
  admit(): boolean {
    if (this.#openFor === 0) return true
    if (this.#probing || this.#context.now() < this.#openUntil) return false
    this.#probing = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    this.#openFor = 0
    this.#probing = false
  }

  /** Nothing was learnt: the service was not asked after all, or what it said is about the question. */
  undecided(): void {
    this.#probing = false
  }

  /** @returns whether this is what opened it */
  failed(): boolean {
    const { failures, firstMs, longestMs } = this.#options
    this.#failures++
    const wasOpen = this.open
    // Those that were under way when it opened come in later: only the one that was let through says it anew.
    if (wasOpen ? !this.#probing : this.#failures < failures) return false
    this.#probing = false
    this.#openFor = Math.min(longestMs, wasOpen ? this.#openFor * 2 : firstMs)
    // Up to a fifth sooner: gateways that lost the same service need not come back to it together.
    this.#openUntil = this.#context.now() + this.#openFor * (1 - 0.2 * this.#context.random())
    return !wasOpen
  }
}
