import { claimAt, type Identity } from '../../upstreams/identity.ts'
import { type ConsumerFacts, ofConsumer } from '../authenticator.ts'
import { type ConsumerRules, consumerOf, rolesOf, scopesOf } from '../token-claims.ts'

/** What an endpoint says of a token (RFC 7662, 2.2). */
export type Claims = Readonly<Record<string, unknown>>

export interface ClaimRules extends ConsumerRules {
  readonly endpoint: string
  readonly issuer?: string | undefined
  readonly audience?: readonly string[] | undefined
  /** Where the subject and its roles are found. */
  readonly subject: string
  readonly roles: string
}

/** Who it is and until when, in milliseconds since 1970; Infinity where the endpoint does not say. */
export interface Believed {
  readonly identity: Identity
  readonly until: number
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/**
 * What is no access token says so in `token_type` (RFC 7662, 2.2, by the names of RFC 7009 and RFC 8693), in `token_use`
 * (Ory Hydra) or `typ` (Keycloak). An access token says `Bearer` or `access_token`, or nothing.
 */
const OTHER_TOKEN =
  /^(?:urn:ietf:params:oauth:token-type:)?(?:refresh(?:[_ ]?token)?|offline(?:[_ ]?token)?|id(?:[_ ]?token)?|(?:authori[sz]ation[_ ]?)?code)$/i

function isOther(kind: unknown): boolean {
  return typeof kind === 'string' && OTHER_TOKEN.test(kind)
}

function unfit(claims: Claims, { issuer, audience }: ClaimRules, now: number): string | undefined {
  const { exp, nbf, iss, aud } = claims
  if (claims['active'] !== true) return 'the endpoint says that it is not active'
  if ([claims['token_type'], claims['token_use'], claims['typ']].some(isOther)) return 'it is no access token'
  if (exp !== undefined && !(typeof exp === 'number' && now < exp * 1000)) return 'it has expired'
  if (nbf !== undefined && !(typeof nbf === 'number' && now >= nbf * 1000)) return 'it is not valid yet'
  if (issuer !== undefined && iss !== issuer) return 'it is of another issuer'
  const meant: readonly unknown[] = [aud].flat()
  if (audience !== undefined && !audience.some((one) => meant.includes(one)))
    return 'it is for another audience'
  return undefined
}

/**
 * Who a token is of, or why it does not count.
 * @param now milliseconds since 1970
 */
export function believe(
  claims: Claims,
  rules: ClaimRules,
  consumer: (name: string) => ConsumerFacts | undefined,
  now: number,
): Believed | { readonly why: string } {
  const why = unfit(claims, rules, now)
  if (why !== undefined) return { why }
  const subject = text(claimAt(claims, rules.subject))
  const client = text(claims['client_id'])
  const name = subject ?? client
  if (name === undefined) return { why: 'the endpoint does not say whose it is' }
  const issuer = text(claims['iss']) ?? rules.issuer ?? rules.endpoint
  const identity: Identity = Object.freeze({
    // A program may be called like a person.
    id: `introspection:${encodeURIComponent(issuer)}:${subject === undefined ? 'client' : 'sub'}:${name}`,
    kind: 'introspection',
    name,
    scopes: scopesOf(claims),
    ...ofConsumer(consumerOf(claims, rules, consumer), { roles: rolesOf(claims, rules.roles), claims }),
  })
  const { exp } = claims
  return { identity, until: typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY }
}
