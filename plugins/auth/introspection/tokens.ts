import { ExpiringMap } from '../../upstreams/expiring-map.ts'
import type { Identity } from '../../upstreams/identity.ts'
import type { ServiceBreaker } from '../../upstreams/service-breaker.ts'
import { Refusal } from '../authenticator.ts'
import type { Believed, Claims } from './claims.ts'

export interface TokenOptions {
  readonly cacheFor: number
  readonly negativeFor: number
  readonly cacheSize: number
  readonly staleFor: number
  readonly concurrency: number
}

export interface TokenWork {
  /** Asks the endpoint. Rejects if it gives no answer, with a `BadTokenError` if it will give none about such a token. */
  ask(token: string): Promise<Claims>
  /** At `date`: who it is, or why not. */
  believe(claims: Claims, date: number): Believed | { readonly why: string }
  /** A hash under which answers are kept, so that no token is. */
  tag(token: string): string
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since 1970. */
  date(): number
}

interface Kept extends Believed {
  /** Monotonic: when it has to be asked for again. */
  readonly freshUntil: number
}

const TOLD = 'The token is not valid'

/** The endpoint does not answer, and nothing is kept that would do instead. */
export class NoAnswerError extends Error {}

/** The endpoint has answered that it cannot be asked about such a token: it is the token that is wrong, not the endpoint. */
export class BadTokenError extends Error {}

/** Tells callers by tokens that only their issuer can read. */
export class Tokens {
  /** For metrics. */
  readonly counts = { asked: 0, failed: 0, stale: 0, held: 0 }
  readonly #options: TokenOptions
  readonly #work: TokenWork
  readonly #breaker: ServiceBreaker
  readonly #active: ExpiringMap<Kept>
  readonly #refused: ExpiringMap<Refusal>
  readonly #pending = new Map<string, Promise<Identity | Refusal>>()

  constructor(options: TokenOptions, work: TokenWork, breaker: ServiceBreaker) {
    this.#options = options
    this.#work = work
    this.#breaker = breaker
    this.#active = new ExpiringMap(options.cacheSize)
    this.#refused = new ExpiringMap(options.cacheSize)
  }

  /** Throws or rejects with a `NoAnswerError` if it cannot be told now. */
  authenticate(token: string): Identity | Refusal | Promise<Identity | Refusal> {
    const { now, date, tag } = this.#work
    const key = tag(token)
    const at = now()
    const kept = this.#active.get(key, at)
    if (kept !== undefined && at < kept.freshUntil) {
      return date() < kept.until ? kept.identity : new Refusal('invalid_token', TOLD, 'it has expired')
    }
    const refused = this.#refused.get(key, at)
    if (refused !== undefined) return refused
    // The same token many times at once is one question.
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending
    if (this.#pending.size >= this.#options.concurrency) {
      this.counts.held++
      return this.#instead(kept, new NoAnswerError('too many questions are under way'))
    }
    if (!this.#breaker.admit()) {
      this.counts.held++
      return this.#instead(
        kept,
        new NoAnswerError('the introspection endpoint has failed several times in a row'),
      )
    }
    const asked = this.#ask(token, key, kept).finally(() => this.#pending.delete(key))
    this.#pending.set(key, asked)
    return asked
  }

  async #ask(token: string, key: string, kept: Kept | undefined): Promise<Identity | Refusal> {
    const { ask, believe, now, date } = this.#work
    const { cacheFor, staleFor } = this.#options
    this.counts.asked++
    let claims: Claims
    try {
      claims = await ask(token)
    } catch (error) {
      if (error instanceof BadTokenError) {
        // Whoever sends such tokens must not shut the others out.
        this.#breaker.succeeded()
        return this.#refuse(key, error.message)
      }
      this.counts.failed++
      this.#breaker.failed()
      return this.#instead(kept, error)
    }
    this.#breaker.succeeded()
    const believed = believe(claims, date())
    if ('why' in believed) return this.#refuse(key, believed.why)
    const freshUntil = now() + cacheFor
    this.#active.set(key, { ...believed, freshUntil }, freshUntil + staleFor)
    return believed.identity
  }

  #refuse(key: string, why: string): Refusal {
    // Whatever was known of it before: it has been revoked.
    this.#active.delete(key)
    const refusal = new Refusal('invalid_token', TOLD, why)
    this.#refused.set(key, refusal, this.#work.now() + this.#options.negativeFor)
    return refusal
  }

  /** What was known of it, if that may still be used; else it cannot be told. */
  #instead(kept: Kept | undefined, error: unknown): Identity {
    const { now, date } = this.#work
    if (kept === undefined || now() >= kept.freshUntil + this.#options.staleFor || date() >= kept.until) {
      throw error
    }
    this.counts.stale++
    return kept.identity
  }
}
