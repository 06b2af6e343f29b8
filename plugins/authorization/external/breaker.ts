/** Spares requests the wait for a service that does not answer. */
import type { PolicyContext } from '../../upstreams/contract.ts'

/** So many failures in a row stop the asking. */
const FAILURES = 5
/** How long at first, and at most, in milliseconds; doubled each time that it fails again. */
const FIRST_MS = 1000
const LONGEST_MS = 5000

/** Closed, open, and then one request at a time that finds out. */
export class ServiceBreaker {
  readonly #context: PolicyContext
  #failures = 0
  #openUntil = 0
  #openFor = 0
  #probing = false

  constructor(context: PolicyContext) {
    this.#context = context
  }

  get open(): boolean {
    return this.#openFor > 0
  }

  /** Whether the service may be asked now. If so, `succeeded` or `failed` has to follow. */
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

  /** @returns whether this is what opened it */
  failed(): boolean {
    this.#failures++
    const wasOpen = this.open
    // Those that were under way when it opened come in later: only the one that was let through says it anew.
    if (wasOpen ? !this.#probing : this.#failures < FAILURES) return false
    this.#probing = false
    this.#openFor = Math.min(LONGEST_MS, wasOpen ? this.#openFor * 2 : FIRST_MS)
    // Up to a fifth sooner: gateways that lost the same service need not come back to it together.
    this.#openUntil = this.#context.now() + this.#openFor * (1 - 0.2 * this.#context.random())
    return !wasOpen
  }
}
