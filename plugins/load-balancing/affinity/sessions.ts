import type { Binding } from '../../upstreams/binding.ts'
import type { Target } from '../../upstreams/contract.ts'
import { cookieValues } from '../../upstreams/cookies.ts'
import type { KeyedRequest } from '../../upstreams/exchange.ts'
import { readToken, type Signer, type Token, writeToken } from './token.ts'

export interface CookieOptions {
  /** Its name. */
  readonly cookie: string
  /** Milliseconds; 0 is the browser's session. */
  readonly ttl: number
  readonly path: string
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly httpOnly: boolean
}

/**
 * Cookies of the name that are looked at: a page of a sibling domain can plant one of its own before ours
 * (RFC 6265, 8.6), which must not end the session.
 */
const MOST_COOKIES = 4
const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const

/** One that a client has told of. */
export interface Session extends Binding {
  readonly token: Token
  /** Named under the secret that signs now. */
  readonly current: boolean
}

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
  readonly #nonce: () => string
  readonly #byId = new Map<string, Known>()

  /**
   * @param now Unix time in milliseconds: unlike other times, this one is told to clients and other gateways
   * @param nonce makes the words of a new session its own
   */
  constructor(options: CookieOptions, signer: Signer, now: () => number, nonce: () => string) {
    this.#nonce = nonce
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

  /** What the cookie of a request says, if it is one of ours. */
  bindingOf({ headers }: KeyedRequest): Session | undefined {
    if (headers.cookie === undefined) return undefined
    const now = this.#now() / 1000
    for (const value of cookieValues(headers.cookie, this.#options.cookie, MOST_COOKIES)) {
      const token = readToken(value, this.#signer, now)
      if (token === undefined) continue
      const known = this.#byId.get(token.id)
      return { token, target: known?.target, key: token.nonce, current: known?.current === true }
    }
    return undefined
  }

  /**
   * The cookie that goes with an answer, or undefined if the client's is to stay: also while its target is absent,
   * since it may come back. A target of a better tier takes a session over, since it may not.
   */
  cookieFor(session: Session | undefined, answered: Target, secure: boolean): string | undefined {
    const target = session?.target
    if (target === undefined || answered.tier < target.tier)
      return this.#cookie(answered, this.#nonce(), secure)
    // One whose target is absent keeps its time as well: new words would move it to another stand-in.
    if (answered !== target || (session?.current === true && !this.#ageing(session))) return undefined
    return this.#cookie(target, (session as Session).key, secure)
  }

  /** Half of its time is gone: a session that is used does not end. */
  #ageing({ token: { expiresAt } }: Session): boolean {
    return this.#options.ttl > 0 && expiresAt * 1000 - this.#now() < this.#options.ttl / 2
  }

  #cookie({ origin }: Target, nonce: string, secure: boolean): string {
    const { cookie, ttl, path, sameSite, httpOnly } = this.#options
    const seconds = Math.ceil(ttl / 1000)
    const expiresAt = ttl === 0 ? 0 : Math.ceil(this.#now() / 1000) + seconds
    const [id = ''] = this.#signer.idsOf(origin)
    const parts = [`${cookie}=${writeToken({ id, expiresAt, nonce }, this.#signer)}`, `Path=${path}`]
    if (ttl > 0) parts.push(`Max-Age=${seconds}`)
    if (httpOnly) parts.push('HttpOnly')
    if (secure) parts.push('Secure')
    parts.push(`SameSite=${SAME_SITE[sameSite]}`)
    return parts.join('; ')
  }
}
