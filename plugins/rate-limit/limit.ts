import type { Algorithm, Reading } from './algorithm.ts'
import type { KeyedRequest } from './keys.ts'
import type { Rule } from './rule.ts'

/** A limit, ready to count. */
export interface Limit {
  /** Numbered from 0 over all limits. */
  readonly index: number
  /** Where it stands and its name: `route users/burst`, `plan gold/day`. For logs, metrics and Redis. */
  readonly id: string
  /** What clients are told. */
  readonly name: string
  readonly rule: Rule
  readonly algorithm: Algorithm
  /** What it counts to while Redis is gone, if its gateways are several. */
  readonly part: Algorithm
  /** Its item of `RateLimit-Policy`. */
  readonly policy: string
  readonly keyOf: (request: KeyedRequest) => string
  readonly costOf: (request: KeyedRequest) => number
}

/** What one request asks of one limit, and what came of it. */
export interface Claim extends Reading {
  readonly limit: Limit
  readonly key: string
  readonly cost: number
  /** Whether this limit was asked; another that is known to refuse is enough for not asking. */
  known: boolean
  /** Where the store found it, for its own use. */
  place: number
}

export function claim(limit: Limit, request: KeyedRequest): Claim {
  return {
    limit,
    key: limit.keyOf(request),
    cost: limit.costOf(request),
    known: true,
    place: 0,
    fits: true,
    remaining: 0,
    wait: 0,
    reset: 0,
  }
}

/** Whether the request has to be refused for this one's sake. */
export function refuses({ fits, limit }: Claim): boolean {
  return !fits && !limit.rule.dryRun
}
