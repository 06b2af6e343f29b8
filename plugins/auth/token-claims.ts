/** What tokens say of their bearer, whether it is read in them or told by their issuer. */
import { text } from '../config/kit.ts'
import { claimAt, type Identity } from '../upstreams/identity.ts'
import type { ConsumerFacts } from './authenticator.ts'

type Claims = Identity['claims']

/** A claim in the config, by its name or its path. */
export const claimPath = text({
  pattern: '^[^.]+(\\.[^.]+)*$',
  remedy: 'write a claim like "roles", or a path like "realm_access.roles"',
})

/** A list of texts, or text with blanks between them (RFC 8693, 4.2); what is neither grants nothing. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ').filter((one) => one !== '')
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

/** `scope` (RFC 9068, 2.2.3; RFC 7662, 2.2), or `scp`, as Microsoft and Okta call it. */
export function scopesOf(claims: Claims): readonly string[] {
  return textsOf(claimAt(claims, Object.hasOwn(claims, 'scope') ? 'scope' : 'scp'))
}

export function rolesOf(claims: Claims, path: string): readonly string[] {
  return textsOf(claimAt(claims, path))
}

/** How tokens of one issuer name consumers. */
export interface ConsumerRules {
  /** The claim that says it, by name or path. Undefined: none does. */
  readonly consumer?: string | undefined
  /** The only ones that the issuer may name. Undefined: all. */
  readonly consumers?: readonly string[] | undefined
}

/** The consumer that a token names. */
export function consumerOf(
  claims: Claims,
  { consumer, consumers }: ConsumerRules,
  known: (name: string) => ConsumerFacts | undefined,
): ConsumerFacts | undefined {
  const named = consumer === undefined ? undefined : claimAt(claims, consumer)
  if (typeof named !== 'string' || consumers?.includes(named) === false) return undefined
  return known(named)
}
