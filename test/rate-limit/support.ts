import { catalogueOf } from '../../plugins/rate-limit/catalogue.ts'
import type { KeyedRequest } from '../../plugins/rate-limit/keys.ts'
import { type Claim, claim, type Limit } from '../../plugins/rate-limit/limit.ts'
import type { Rule } from '../../plugins/rate-limit/rule.ts'

export const SECOND = 1_000_000
export const DAY = 86_400 * SECOND

/** A rule as the schema fills it in. */
export function ruleOf(rule: Partial<Rule> = {}): Rule {
  return {
    max: 10,
    per: 1000,
    by: 'address',
    cost: 1,
    algorithm: 'gcra',
    dryRun: false,
    ipv6Prefix: 64,
    ...rule,
  }
}

export function limitsOf(rules: readonly Partial<Rule>[], instances = 1): readonly Limit[] {
  const rateLimits = { limits: rules.map(ruleOf), plans: {}, instances } as never
  return catalogueOf({ rateLimits, upstreams: {} }, () => () => undefined).limits
}

export function requestOf(ip: string, more: Partial<KeyedRequest> = {}): KeyedRequest {
  return { headers: {}, ip, identity: null, ...more }
}

export function claimsOf(limits: readonly Limit[], ip = '192.0.2.1'): Claim[] {
  return limits.map((limit) => claim(limit, requestOf(ip)))
}
