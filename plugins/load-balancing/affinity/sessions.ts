import type { Target } from '../../upstreams/contract.ts'
import { cookieValues } from '../../upstreams/cookies.ts'
import type { KeyedRequest } from '../../upstreams/exchange.ts'
import { expiryOf, ID_LENGTH, readToken, type Signer, writeToken } from './token.ts'

export interface CookieOptions {
  /** Its name. */
  readonly cookie: string
  /** Milliseconds; 0 is the browser's session. */
  readonly ttl: number
  readonly path: string
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly httpOnly: boolean
}

/** The key of a request with a session begins with it: neither headers nor cookies can hold one. */
const MARK = '\u0001'
const PREFIX_LENGTH = MARK.length + ID_LENGTH
/**
 * Cookies of the name that are looked at: a page of a sibling domain can plant one of its own before ours
 * (RFC 6265, 8.6), which must not end the session.
 */
const MOST_COOKIES = 4
const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const

interface Known {
  readonly target: Target
  /** Named under the secret that signs now. */
  readonly current: boolean
}

/** The sessions of one upstream. They are kept by the clients: this knows the targets and how cookies call them. */
export class Sessions {
  readonly #options: CookieOptions
  readonly #signer: Signer
  readonly #now: () => number
  readonly #byId = new Map<string, Known>()

  /** @param now Unix time in milliseconds: unlike other times, this one is told to clients and other gateways */
  constructor(options: CookieOptions, signer: Signer, now: () => number) {
    this.#options = options
    this.#signer = signer
    this.#now = now
  }

  add(target: Target): void {
    for (const [i, id] of this.#signer.idsOf(target.origin).entries()) {
      this.#byId.set(id, { target, current: i === 0 })
    }
  }

  remove(target: Target): void {
    for (const id of this.#signer.idsOf(target.origin)) this.#byId.delete(id)
  }

  /** The key of a request: what its cookie names, if it is one of ours, before the key that the policy wants. */
  keyOf({ headers }: KeyedRequest, key: string): string {
    if (headers.cookie === undefined) return key
    const now = this.#now() / 1000
    for (const value of cookieValues(headers.cookie, this.#options.cookie, MOST_COOKIES)) {
      const token = readToken(value, this.#signer, now)
      if (token !== undefined) return `${MARK}${token.id}${key}`
    }
    return key
  }

  /** The target that the session of this key is with, unless it was removed. */
  targetOf(key: string): Target | undefined {
    return this.#knownBy(key)?.target
  }

  /**
   * The cookie that goes with an answer, or undefined if the client's is to stay: also while its target is absent,
   * since it may come back. A target of a better tier takes a session over, since it may not.
   */
  cookieFor(request: KeyedRequest, key: string, answered: Target, secure: boolean): string | undefined {
    const known = this.#knownBy(key)
    if (known === undefined || answered.tier < known.target.tier) return this.#cookie(answered, secure)
    if (known.current && !this.#ageing(request, key)) return undefined
    return this.#cookie(known.target, secure)
  }

  #knownBy(key: string): Known | undefined {
    return hasSession(key) ? this.#byId.get(key.slice(MARK.length, PREFIX_LENGTH)) : undefined
  }

  /** Half of its time is gone: a session that is used does not end. */
  #ageing({ headers }: KeyedRequest, key: string): boolean {
    if (this.#options.ttl === 0) return false
    const id = key.slice(MARK.length, PREFIX_LENGTH)
    const values = cookieValues(headers.cookie, this.#options.cookie, MOST_COOKIES)
    const expiresAt = expiryOf(values.find((value) => value.startsWith(`${id}.`)) ?? '')
    return expiresAt * 1000 - this.#now() < this.#options.ttl / 2
  }

  #cookie({ origin }: Target, secure: boolean): string {
    const { cookie, ttl, path, sameSite, httpOnly } = this.#options
    const seconds = Math.ceil(ttl / 1000)
    const expiresAt = ttl === 0 ? 0 : Math.ceil(this.#now() / 1000) + seconds
    const [id = ''] = this.#signer.idsOf(origin)
    const parts = [`${cookie}=${writeToken({ id, expiresAt }, this.#signer)}`, `Path=${path}`]
    if (ttl > 0) parts.push(`Max-Age=${seconds}`)
    if (httpOnly) parts.push('HttpOnly')
    if (secure) parts.push('Secure')
    parts.push(`SameSite=${SAME_SITE[sameSite]}`)
    return parts.join('; ')
  }
}

export function hasSession(key: string): boolean {
  return key.length >= PREFIX_LENGTH && key.startsWith(MARK)
}

/** The key as the policy wants it. */
export function withoutSession(key: string): string {
  return hasSession(key) ? key.slice(PREFIX_LENGTH) : key
}
