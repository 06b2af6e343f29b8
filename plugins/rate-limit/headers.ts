/**
 * The fields `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11: lists of structured items
 * (RFC 9651).
 */
import type { Claim } from './limit.ts'

const SECOND = 1_000_000
/** The largest integer of a structured field. */
const LARGEST = 999_999_999_999_999

/** Whole seconds, rounded up, so that who waits for so long does not come too early. */
export function seconds(micros: number): number {
  return Math.min(LARGEST, Math.ceil(micros / SECOND))
}

/** @param per milliseconds; a policy has whole seconds, and promises no more than the limit does */
export function policyItem(name: string, max: number, per: number): string {
  if (per < 1000) return `"${name}";q=${Math.floor((max * 1000) / per)};w=1`
  return `"${name}";q=${max};w=${Math.ceil(per / 1000)}`
}

/** Until there is room again, which is what `Retry-After` says too; where there is room, until all is back. */
function item({ limit, fits, remaining, wait, reset }: Claim): string {
  const until = (!fits || remaining === 0) && wait !== Number.POSITIVE_INFINITY ? wait : reset
  return `"${limit.name}";r=${remaining};t=${seconds(until)}`
}

/** The most restrictive first: what refuses, the longest wait before shorter ones, then what leaves least. */
function byRestriction(a: Claim, b: Claim): number {
  if (a.fits !== b.fits) return a.fits ? 1 : -1
  if (!a.fits && a.wait !== b.wait) return b.wait - a.wait
  return a.remaining - b.remaining || b.wait - a.wait
}

/** Both fields; undefined where there is nothing to tell. A limit that only tries itself out is not told of. */
export function limitFields(
  claims: readonly Claim[],
): { readonly limit: string; readonly policy: string } | undefined {
  const [first, second] = claims
  if (first !== undefined && second === undefined) {
    return first.limit.rule.dryRun ? undefined : { limit: item(first), policy: first.limit.policy }
  }
  const told = claims.filter(({ limit, known }) => known && !limit.rule.dryRun).sort(byRestriction)
  if (told.length === 0) return undefined
  return {
    limit: told.map(item).join(', '),
    policy: told.map(({ limit }) => limit.policy).join(', '),
  }
}

/** Value of `Retry-After`: until all limits that refuse have room. Undefined if one never will. */
export function retryAfter(claims: readonly Claim[]): string | undefined {
  let wait = 0
  for (const one of claims) if (!one.fits && !one.limit.rule.dryRun) wait = Math.max(wait, one.wait)
  return wait === Number.POSITIVE_INFINITY ? undefined : String(Math.max(1, seconds(wait)))
}
