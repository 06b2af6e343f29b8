/** What a route demands of the one who calls: scopes, roles, claims. */
import { claimAt, type Identity } from '../upstreams/identity.ts'

export type Scalar = string | number | boolean

/** All that are given have to hold. */
export interface ClaimDemand {
  readonly equals?: Scalar
  readonly contains?: Scalar
  readonly any?: readonly Scalar[]
  readonly all?: readonly Scalar[]
}

export interface Demands {
  readonly scopes?: readonly string[]
  readonly anyScope?: readonly string[]
  readonly roles?: readonly string[]
  readonly allRoles?: readonly string[]
  readonly claims?: Readonly<Record<string, ClaimDemand>>
}

export const DEMANDS = ['scopes', 'anyScope', 'roles', 'allRoles', 'claims'] as const

/** `granted`, or what is missing: scopes that would help, by name; `denied` where more of them would not. */
export type Finding = 'granted' | 'denied' | readonly string[]

/** Whether a claim is as demanded. A value of another type never is: `'3'` is not 3. */
export function claimHolds(value: unknown, { equals, contains, any, all }: ClaimDemand): boolean {
  if (value === undefined) return false
  const list: readonly unknown[] = Array.isArray(value) ? value : []
  const values = Array.isArray(value) ? list : [value]
  if (equals !== undefined && value !== equals) return false
  if (contains !== undefined && !list.includes(contains)) return false
  if (any !== undefined && !any.some((one) => values.includes(one))) return false
  return all === undefined || all.every((one) => values.includes(one))
}

function has(held: unknown, one: string): boolean {
  return Array.isArray(held) && held.includes(one)
}

/** Whether somebody meets the demands. Claims and roles first: where they lack, no scope would help. */
export function judge(demands: Demands, { scopes, roles, claims }: Identity): Finding {
  if (demands.roles !== undefined && !demands.roles.some((role) => has(roles, role))) return 'denied'
  if (demands.allRoles !== undefined && !demands.allRoles.every((role) => has(roles, role))) return 'denied'
  for (const path in demands.claims) {
    if (!claimHolds(claimAt(claims, path), demands.claims[path] as ClaimDemand)) return 'denied'
  }
  if (demands.scopes !== undefined && !demands.scopes.every((scope) => has(scopes, scope)))
    return demands.scopes
  if (demands.anyScope !== undefined && !demands.anyScope.some((scope) => has(scopes, scope)))
    return demands.anyScope
  return 'granted'
}
