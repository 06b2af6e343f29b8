/** A signed token that tells an upstream who calls, so that it need not trust whoever can reach it (RFC 7519). */
import { ExpiringMap } from '../upstreams/expiring-map.ts'
import { claimAt, type Identity } from '../upstreams/identity.ts'

export interface TokenOptions {
  readonly issuer: string
  readonly lifetimeMs: number
  /** Claims of the identity that are told too, each as `toldAs` says. */
  readonly claims: readonly string[]
  /** Header of the token, as JSON. */
  readonly header: object
  /** Signs a text; returns it in base64url. */
  sign(text: string): string
  /** Milliseconds since 1970. */
  now(): number
}

/** What the token says by itself, and what says something of the token (RFC 7519, 4.1) and not of the caller. */
export const OWN_CLAIMS: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'],
  ...['kind', 'issuer', 'consumer', 'plan', 'scope', 'roles'],
])

/** The name under which a claim is told: the last step of its path. A URL, which has dots of its own, is no path. */
export function toldAs(path: string): string {
  return path.includes('/') ? path : path.slice(path.lastIndexOf('.') + 1)
}

/** So many tokens are remembered, one for each caller and audience. */
const REMEMBERED = 10_000

interface Kept {
  readonly token: string
  /** Milliseconds since 1970. */
  readonly madeAt: number
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Makes tokens, and uses each for half of its lifetime, so that one always has at least half of it before it. */
export class TokenMaker {
  readonly #options: TokenOptions
  readonly #kept = new ExpiringMap<Kept>(REMEMBERED)
  /** What is said of an identity as text: authentication hands out the same object for the same credential. */
  readonly #texts = new WeakMap<Identity, string>()

  constructor(options: TokenOptions) {
    this.#options = options
  }

  /** @param audience names of the upstreams that it is for, as JSON */
  tokenFor(identity: Identity, audience: string): string {
    let said = this.#texts.get(identity)
    if (said === undefined) {
      said = JSON.stringify(this.#said(identity))
      this.#texts.set(identity, said)
    }
    const key = `${audience} ${said}`
    const now = this.#options.now()
    const kept = this.#kept.get(key, now)
    // Unless the clock was set back: it would be one of the future, and be used for too long.
    if (kept !== undefined && kept.madeAt <= now) return kept.token
    const token = this.#make(said, audience, now)
    this.#kept.set(key, { token, madeAt: now }, now + this.#options.lifetimeMs / 2)
    return token
  }

  #said({ name, kind, consumer, plan, scopes, roles, claims }: Identity): object {
    const told: Record<string, unknown> = {}
    for (const path of this.#options.claims) {
      const value = claimAt(claims, path)
      if (value !== undefined) told[toldAs(path)] = value
    }
    // Two issuers may have a caller of one name each.
    const issuer = claimAt(claims, 'iss')
    // Last, so that no claim takes the place of what the gateway says itself.
    return { ...told, sub: name, kind, issuer, consumer, plan, scope: scopes.join(' '), roles }
  }

  #make(said: string, audience: string, now: number): string {
    const { header, issuer, lifetimeMs, sign } = this.#options
    const iat = Math.floor(now / 1000)
    const exp = Math.floor((now + lifetimeMs) / 1000)
    const payload = { ...JSON.parse(said), iss: issuer, aud: JSON.parse(audience), iat, exp }
    const text = `${base64url(header)}.${base64url(payload)}`
    return `${text}.${sign(text)}`
  }
}
