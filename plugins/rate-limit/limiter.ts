/** How limits are asked through @fastify/rate-limit: what is the package's, and what is ours. */
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { EndpointStore } from './endpoint-store.ts'
import { rateLimited } from './errors.ts'
import type { KeyedHash } from './keyed-hash.ts'
import type { Claim } from './limit.ts'

/** Decides about all limits of a request together, and charges all or none. */
export type Decide = (claims: readonly Claim[]) => boolean | Promise<boolean>

/** The package's answer, with its key as what it is: our claims. `isAllowed` is its word for the allow list. */
export type Answer =
  | { readonly isAllowed: true }
  | { readonly isAllowed: false; readonly isExceeded: boolean; readonly key: readonly Claim[] }
export type Ask = (request: FastifyRequest) => Promise<Answer>

type Done = (error: Error | null, result?: { current: number; ttl: number }) => void

/** What the package asks for limits of the config. Its key of a request is the list of our claims. */
class ClaimStore {
  readonly #decide: Decide

  constructor(decide: Decide) {
    this.#decide = decide
  }

  incr(key: readonly Claim[], done: Done): void {
    const answer = (allowed: boolean): void => done(null, { current: allowed ? 1 : 2, ttl: 0 })
    const allowed = this.#decide(key)
    if (typeof allowed === 'boolean') answer(allowed)
    else allowed.then(answer, done)
  }
}

/** Marks the options of ours among those that the package hands to its store. */
const CLAIMS = Symbol('holdfast.claims')

export interface LimiterOptions {
  readonly decide: Decide
  /** Addresses that no limit is for. */
  readonly trusted: (address: string | undefined) => boolean
  readonly hash: KeyedHash
  readonly maxKeys: number
  /** Microseconds, whole. */
  readonly now: () => number
}

/**
 * Registers the package. Of its hooks none runs on the routes of the config: they would come before authentication,
 * one limit at a time, and not at all where no route is found.
 * @returns makes what asks the limits that `claimsOf` names
 */
export async function useRateLimit(
  app: FastifyInstance,
  { decide, trusted, hash, maxKeys, now }: LimiterOptions,
): Promise<(claimsOf: (request: FastifyRequest) => readonly Claim[]) => Ask> {
  const claims = new ClaimStore(decide)
  // An endpoint of `routes/` may set the package's own options: it is counted by a store of ours all the same.
  const store = class extends EndpointStore {
    constructor() {
      super(hash, maxKeys, now)
    }
    child(options: object): object {
      return CLAIMS in options ? claims : new EndpointStore(hash, maxKeys, now)
    }
  } as unknown as new () => FastifyRateLimitStore
  await app.register(rateLimit, {
    global: false,
    store,
    errorResponseBuilder: (_request, { ttl }) => rateLimited(String(Math.ceil(ttl / 1000))),
  })
  return (claimsOf) =>
    app.createRateLimit({
      [CLAIMS]: true,
      // The store says 1 or 2: how many limits there are, and what each is, is its own business.
      max: 1,
      keyGenerator: claimsOf,
      allowList: ({ ip }: FastifyRequest) => trusted(ip),
    } as object) as unknown as Ask
}
