import { messageOf } from '../../config/messages.ts'
import { cookieValues } from '../../upstreams/cookies.ts'
import { ExpiringMap } from '../../upstreams/expiring-map.ts'
import type { Identity } from '../../upstreams/identity.ts'
import {
  type Authenticator,
  type ConsumerFacts,
  ofConsumer,
  Refusal,
  type Verdict,
} from '../authenticator.ts'
import { authorization, singleHeader } from '../credentials.ts'
import { type ConsumerRules, consumerOf, rolesOf, scopesOf } from '../token-claims.ts'
import { type ClaimRules, checkClaims, type Validity } from './claims.ts'
import { parseCompact, type UnverifiedToken } from './compact.ts'
import type { KeySource, VerifyKey } from './key-ring.ts'
import type { JwtOptions } from './options.ts'
import type { IssuerRevocations } from './revocation-list.ts'

type Request = Parameters<Authenticator['authenticate']>[0]

/** An issuer whose tokens are believed. */
export interface TrustedIssuer extends ConsumerRules {
  readonly rules: ClaimRules
  readonly algorithms: ReadonlySet<string>
  readonly keys: KeySource
  readonly revoked: IssuerRevocations
  /** Where roles are found. */
  readonly roles: string
}

export interface VerifyContext {
  /** Milliseconds since 1970. */
  date(): number
  /** Not to be found twice, nor made to be: a cryptographic hash of all of the token. */
  hash(token: string): string
  consumer(name: string): ConsumerFacts | undefined
  /** False while it is not known what is revoked. */
  knowsRevocations(): boolean
}

interface Verified {
  readonly identity: Identity
  readonly issuer: TrustedIssuer
  readonly key: VerifyKey
  readonly validity: Validity
}

const MALFORMED = 'The token is malformed'
const EXPIRED = 'The token has expired'
const INVALID = 'The token is not valid'
const REVOKED = 'The token has been revoked'

function invalid(told: string, why: string): Refusal {
  return new Refusal('invalid_token', told, why)
}

function freeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}

/** Tells who a request comes from by the token that it brings. */
export class TokenVerifier {
  readonly #options: Pick<JwtOptions, 'from' | 'tokenLimit' | 'cache'>
  readonly #issuers: ReadonlyMap<unknown, TrustedIssuer>
  readonly #context: VerifyContext
  readonly #verified: ExpiringMap<Verified>
  hits = 0
  misses = 0

  constructor(
    options: Pick<JwtOptions, 'from' | 'tokenLimit' | 'cache'>,
    issuers: readonly TrustedIssuer[],
    context: VerifyContext,
  ) {
    this.#options = options
    this.#issuers = new Map(issuers.map((issuer) => [issuer.rules.issuer, issuer]))
    this.#context = context
    this.#verified = new ExpiringMap(options.cache.max)
  }

  /** Tokens that are remembered. */
  get size(): number {
    return this.#verified.size
  }

  /** Without a promise, unless a key has to be fetched. Throws or rejects if it cannot be told now. */
  authenticate(request: Request): Verdict | Promise<Verdict> {
    const token = this.#tokenOf(request)
    if (typeof token !== 'string') return token
    // Before anything is made of it.
    if (token.length > this.#options.tokenLimit) return invalid(MALFORMED, 'is too long')
    if (!this.#context.knowsRevocations()) throw new Error('it is not known which tokens are revoked')
    const date = this.#context.date()
    const id = this.#context.hash(token)
    const known = this.#verified.get(id, date)
    if (known !== undefined) {
      if (known.issuer.keys.vouches(known.key)) {
        this.hits++
        return this.#stillGood(known, date)
      }
      this.#verified.delete(id)
    }
    this.misses++
    return this.#verify(token, id, date)
  }

  #tokenOf(request: Request): string | Refusal | undefined {
    const { header, cookie } = this.#options.from
    const bearer = authorization(request, 'bearer')
    if (bearer === '') return new Refusal('invalid_request', 'There is no token after "Bearer"')
    if (header === undefined && cookie === undefined) return bearer
    const brought = [
      bearer,
      header === undefined ? undefined : singleHeader(request, header),
      ...(cookie === undefined ? [] : cookieValues(request.headers.cookie, cookie, 2)),
    ].filter((one) => one !== undefined)
    const refusal = brought.find((one) => one instanceof Refusal)
    if (refusal !== undefined) return refusal
    if (brought.length < 2) return brought[0]
    return new Refusal('invalid_request', 'A credential was sent more than once', 'tokens in several places')
  }

  #stillGood({ identity, issuer, validity }: Verified, date: number): Verdict {
    // Its end is the end of what is remembered; but the clock may have been set back.
    if (date < validity.from) return invalid(INVALID, 'is not valid yet')
    const { jti, subject, issuedAt } = validity
    return issuer.revoked.has(jti, subject, issuedAt) ? invalid(REVOKED, 'is revoked') : identity
  }

  #verify(token: string, id: string, date: number): Verdict | Promise<Verdict> {
    const parsed = parseCompact(token)
    if (typeof parsed === 'string') return invalid(MALFORMED, parsed)
    // Nothing is believed yet: what it says of its issuer only chooses whose rules it is held to.
    const issuer = this.#issuers.get(parsed.claims['iss'])
    if (issuer === undefined) return invalid(INVALID, 'iss is none of the issuers')
    if (!issuer.algorithms.has(parsed.alg)) return invalid(INVALID, 'alg is not allowed')
    const validity = checkClaims(parsed.claims, parsed.typ, issuer.rules, date)
    if ('why' in validity) return invalid(validity.expired ? EXPIRED : INVALID, validity.why)
    const keys = issuer.keys.find(parsed.kid, parsed.alg)
    return keys instanceof Promise
      ? keys.then((found) => this.#conclude(token, id, parsed, issuer, validity, found))
      : this.#conclude(token, id, parsed, issuer, validity, keys)
  }

  #conclude(
    token: string,
    id: string,
    { claims }: UnverifiedToken,
    issuer: TrustedIssuer,
    validity: Validity,
    keys: readonly VerifyKey[],
  ): Verdict {
    if (keys.length === 0) return invalid(INVALID, 'is signed with a key that is not known')
    let why = ''
    const key = keys.find((one) => {
      try {
        one.verify(token)
        return true
      } catch (error) {
        why = messageOf(error)
        return false
      }
    })
    if (key === undefined) return invalid(INVALID, why)
    const identity = this.#identityOf(claims, issuer, validity.subject)
    const { max, maxAge } = this.#options.cache
    // What was awaited may have taken its time.
    const date = this.#context.date()
    if (date >= validity.until) return invalid(EXPIRED, 'has expired')
    const verified = { identity, issuer, key, validity }
    if (max > 0) this.#verified.set(id, verified, Math.min(validity.until, date + maxAge))
    return this.#stillGood(verified, date)
  }

  #identityOf(claims: Readonly<Record<string, unknown>>, issuer: TrustedIssuer, subject: string): Identity {
    const consumer = consumerOf(claims, issuer, this.#context.consumer)
    return freeze({
      id: `jwt:${encodeURIComponent(issuer.rules.issuer)}:${subject}`,
      kind: 'jwt',
      name: subject,
      scopes: scopesOf(claims),
      ...ofConsumer(consumer, { roles: rolesOf(claims, issuer.roles), claims }),
    })
  }
}
