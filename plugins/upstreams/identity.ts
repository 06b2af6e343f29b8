/** Who a request comes from, once authentication has said so. Found on `request.identity`. */
export interface Identity {
  /** The same for the same caller, and for no other: kind and issuer are part of it. Never shown to strangers. */
  readonly id: string
  /** How it was proven: `jwt`, `api-key`, or what a plugin calls its own. */
  readonly kind: string
  /** The subject, or the consumer's name: what the upstream is told. */
  readonly name: string
  /** Name of the consumer of the config that it belongs to, if there is one. */
  readonly consumer: string | undefined
  /** The plan that its quotas are set by, if it has one. */
  readonly plan: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** All that is known besides: a token's claims, a certificate's fields. */
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * The claim of this name or else, for `org.id`, the one that this path leads to: names like
 * `https://example.com/roles` have dots of their own. Undefined if there is none.
 */
export function claimAt(claims: Identity['claims'], path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let at: unknown = claims
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, step))
      return undefined
    at = (at as Record<string, unknown>)[step]
  }
  return at
}
