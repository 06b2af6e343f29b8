import { ExpiringMap } from '../../upstreams/expiring-map.ts'
import type { Identity } from '../../upstreams/identity.ts'
import { Refusal } from '../authenticator.ts'
import { type Consumers, consumerIdentity } from '../consumers.ts'
import { DEFAULT_COST, type PasswordHash, parsePasswordHash } from './phc.ts'
import type { Turns } from './turns.ts'

/** What checking passwords is given, so that a test can count. */
export interface PasswordWork {
  /** Whether the password has this hash. Takes long, and not on the main thread. */
  verify(password: string, hash: PasswordHash): Promise<boolean>
  /** A hash under a key that this process has drawn: what is remembered is worth nothing to anybody else. */
  tag(text: string): string
  /** Monotonic milliseconds. */
  now(): number
}

export interface PasswordOptions {
  readonly cacheFor: number
  readonly cacheSize: number
}

interface User {
  readonly hash: PasswordHash
  readonly identity: Identity
}

/** Where nobody has a password. */
const NOBODYS: PasswordHash = { ...DEFAULT_COST, salt: 'A'.repeat(22), hash: 'A'.repeat(43) }

const TOLD = 'The name or the password is wrong'
/** Wrong ones are remembered shortly: a client that has an old password asks again and again. */
const WRONG_FOR_MS = 10_000

/** Tells consumers by their passwords. */
export class Passwords {
  /** Hashes that were made, refused ones and all. For metrics. */
  hashed = 0
  readonly #users = new Map<string, User>()
  readonly #hashes: readonly PasswordHash[]
  readonly #options: PasswordOptions
  readonly #work: PasswordWork
  readonly #turns: Turns
  readonly #right: ExpiringMap<Identity>
  readonly #wrong: ExpiringMap<true>
  readonly #pending = new Map<string, Promise<boolean>>()

  constructor(consumers: Consumers, options: PasswordOptions, work: PasswordWork, turns: Turns) {
    this.#options = options
    this.#work = work
    this.#turns = turns
    this.#right = new ExpiringMap(options.cacheSize)
    this.#wrong = new ExpiringMap(options.cacheSize)
    for (const [name, consumer] of Object.entries(consumers)) {
      const hash = parsePasswordHash(consumer.password ?? '')
      if (hash === undefined) continue
      this.#users.set(name, { hash, identity: consumerIdentity(name, consumer, 'basic') })
    }
    const hashes = [...this.#users.values()].map(({ hash }) => hash)
    this.#hashes = hashes.length > 0 ? hashes : [NOBODYS]
  }

  /** Rejects if too many are waiting. */
  authenticate(name: string, password: string): Identity | Refusal | Promise<Identity | Refusal> {
    // Of normalised text, so that what is typed on one machine is right on another (RFC 7617, 2.1).
    const given = password.normalize('NFC')
    const tag = this.#work.tag(JSON.stringify([name, given]))
    const now = this.#work.now()
    const known = this.#right.get(tag, now)
    if (known !== undefined) return known
    if (this.#wrong.get(tag, now) !== undefined) return this.#refusal(name)
    return this.#check(name, given, tag)
  }

  async #check(name: string, password: string, tag: string): Promise<Identity | Refusal> {
    const user = this.#users.get(name)
    let pending = this.#pending.get(tag)
    if (pending === undefined) {
      pending = this.#turns
        .take(() => {
          this.hashed++
          return this.#work.verify(password, user?.hash ?? this.#decoy(name))
        })
        .finally(() => this.#pending.delete(tag))
      this.#pending.set(tag, pending)
    }
    const right = await pending
    const until = this.#work.now()
    if (user !== undefined && right) {
      this.#right.set(tag, user.identity, until + this.#options.cacheFor)
      return user.identity
    }
    this.#wrong.set(tag, true, until + Math.min(WRONG_FOR_MS, this.#options.cacheFor))
    return this.#refusal(name)
  }

  /** For a name that there is not: what some name that there is would cost, and the same each time it is tried. */
  #decoy(name: string): PasswordHash {
    const place = Number.parseInt(this.#work.tag(`decoy ${name}`).slice(0, 8), 16) % this.#hashes.length
    return this.#hashes[place] as PasswordHash
  }

  #refusal(name: string): Refusal {
    return new Refusal(
      'invalid_token',
      TOLD,
      this.#users.has(name) ? `the password of ${name} is another` : 'there is no such name',
    )
  }
}
