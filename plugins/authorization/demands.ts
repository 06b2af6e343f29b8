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

/** `granted`, or what is missing. */
export type Finding =
  | 'granted'
  | {
      /** For the log: the demand, and what of it the caller lacks. */
      readonly why: string
      /** Scopes that would help; undefined where more of them would not. */
      readonly scopes: readonly string[] | undefined
    }

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

function lacking(wanted: readonly string[], held: unknown): string {
  return wanted.filter((one) => !has(held, one)).join(', ')
}

function missing(why: string, scopes?: readonly string[]): Finding {
  return { why, scopes }
}

/** Whether somebody meets the demands. Claims and roles first: where they lack, no scope would help. */
export function judge(demands: Demands, { scopes, roles, claims }: Identity): Finding {
  const { roles: anyRole, allRoles, claims: wanted, scopes: allScopes, anyScope } = demands
  if (anyRole !== undefined && !anyRole.some((role) => has(roles, role)))
    return missing(`roles: has none of ${anyRole.join(', ')}`)
  if (allRoles !== undefined && !allRoles.every((role) => has(roles, role)))
    return missing(`allRoles: lacks ${lacking(allRoles, roles)}`)
  for (const path in wanted) {
    if (!claimHolds(claimAt(claims, path), wanted[path] as ClaimDemand))
      return missing(`claims: ${path} is not as demanded`)
  }
  if (allScopes !== undefined && !allScopes.every((scope) => has(scopes, scope)))
    return missing(`scopes: lacks ${lacking(allScopes, scopes)}`, allScopes)
  if (anyScope !== undefined && !anyScope.some((scope) => has(scopes, scope)))
    return missing(`anyScope: has none of ${anyScope.join(', ')}`, anyScope)
  return 'granted'
}
