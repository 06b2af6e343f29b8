import { messageOf } from '../../config/messages.ts'
import { type PublishedKey, readJwkSet } from './jwk.ts'
import { KeyRing, type KeySource, type VerifyKey } from './key-ring.ts'

/** Milliseconds. */
export interface RefreshRules {
  readonly refresh: number
  readonly cooldown: number
  readonly keepKeysFor: number
}

/** What the source of an issuer's published keys is connected with. */
export interface RefreshContext {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since 1970. */
  date(): number
  random(): number
  after(ms: number, run: () => void): () => void
  /** The document with the keys. Rejects in finite time if there is none. */
  fetch(signal: AbortSignal): Promise<unknown>
  /** Keys to verify with. What cannot be made into one is left out, and told. */
  build(keys: readonly PublishedKey[], left: (why: string) => void): Promise<readonly VerifyKey[]>
  log(level: 'info' | 'warn' | 'error', text: string): void
}

/** After a failed fetch the first pause, doubled with each further one, and the longest. */
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000
/** So many requests may wait for one fetch; the rest hears at once that it cannot be told now. */
const MOST_WAITING = 1000

/** What makes a key this key. */
export function fingerprintOf({ kid, algorithms, jwk }: PublishedKey): string {
  return JSON.stringify([kid ?? null, algorithms, jwk])
}

/**
 * An issuer's published keys, fetched in the background and kept while the issuer is away. A request waits for a fetch
 * in two cases only: there are no keys yet, and it names one that is not known.
 */
export class PublishedKeys implements KeySource {
  readonly #rules: RefreshRules
  readonly #context: RefreshContext
  readonly #closing = new AbortController()
  #ring: KeyRing | undefined
  #fetching: Promise<void> | undefined
  #waiting = 0
  /** When a token last made them be fetched. */
  #askedAt = Number.NEGATIVE_INFINITY
  #succeededAt = Number.NEGATIVE_INFINITY
  #failuresInRow = 0
  #toldOld = false
  #left = ''
  #cancel = (): void => {}

  /** Seconds since 1970; 0 if there was none yet. */
  lastSuccess = 0
  failures = 0

  constructor(rules: RefreshRules, context: RefreshContext) {
    this.#rules = rules
    this.#context = context
  }

  get size(): number {
    return this.#ring?.keys.length ?? 0
  }

  start(): void {
    void this.#refresh()
  }

  stop(): void {
    this.#closing.abort()
    this.#cancel()
  }

  vouches(key: VerifyKey): boolean {
    return key.live && this.#fresh()
  }

  find(kid: string | undefined, alg: string): readonly VerifyKey[] | Promise<readonly VerifyKey[]> {
    const known = this.#known(kid, alg)
    if (known !== undefined) return [known]
    const fetching = this.#fetching ?? this.#ask()
    if (fetching === undefined) return this.#afterwards(kid, alg)
    if (this.#waiting >= MOST_WAITING) throw new Error('too many requests wait for the keys of the issuer')
    this.#waiting++
    return fetching.then(() => {
      this.#waiting--
      return this.#afterwards(kid, alg)
    })
  }

  /** Random key ids must not make us hammer the issuer: what a token has asked lately is the answer. */
  #ask(): Promise<void> | undefined {
    const now = this.#context.now()
    if (!this.#fresh() || now - this.#askedAt < this.#rules.cooldown) return undefined
    this.#askedAt = now
    return this.#refresh()
  }

  #fresh(): boolean {
    return this.#ring !== undefined && this.#context.now() - this.#succeededAt < this.#rules.keepKeysFor
  }

  #known(kid: string | undefined, alg: string): VerifyKey | undefined {
    return this.#fresh() ? this.#ring?.find(kid, alg) : undefined
  }

  #afterwards(kid: string | undefined, alg: string): readonly VerifyKey[] {
    const key = this.#known(kid, alg)
    if (key !== undefined) return [key]
    if (!this.#fresh()) throw new Error('there are no keys of the issuer')
    // It may be a new key that we could not hear of.
    if (this.#failuresInRow > 0) throw new Error('the issuer cannot be asked for a key that is not known')
    return []
  }

  #refresh(): Promise<void> {
    this.#cancel()
    this.#fetching ??= this.#load().then(
      () => this.#next(this.#rules.refresh * (0.9 + 0.2 * this.#context.random())),
      (error) => this.#failed(error),
    )
    return this.#fetching
  }

  async #load(): Promise<void> {
    const { fetch, build, now, date, log } = this.#context
    const { keys: published, left } = readJwkSet(await fetch(this.#closing.signal))
    const known = new Map(this.#ring?.keys.map((key) => [key.fingerprint, key]))
    const unusable = [...left]
    const fresh = await build(
      published.filter((key) => !known.has(fingerprintOf(key))),
      (why) => unusable.push(why),
    )
    const kept = published.flatMap((key) => known.get(fingerprintOf(key)) ?? [])
    const ring = new KeyRing([...kept, ...fresh])
    // An issuer that is just starting may say so. It cannot have issued a good token, so there is nothing to go by.
    if (ring.keys.length === 0)
      throw new Error(['it publishes no key that can be used', ...unusable].join('; '))
    this.#ring?.replacedBy(ring)
    this.#tellChanges(ring, unusable)
    if (this.#failuresInRow > 0)
      log('info', `the issuer's keys are there again, after ${this.#failuresInRow} failures`)
    this.#ring = ring
    this.#failuresInRow = 0
    this.#succeededAt = now()
    this.lastSuccess = date() / 1000
  }

  #tellChanges(ring: KeyRing, unusable: readonly string[]): void {
    const { log } = this.#context
    const gone = this.#ring?.keys.filter((key) => !key.live).length ?? 0
    const come = ring.keys.filter((key) => !this.#ring?.keys.includes(key)).length
    if (this.#ring === undefined) log('info', `the issuer has ${ring.keys.length} keys`)
    else if (gone + come > 0) log('info', `the issuer changed its keys: ${come} came, ${gone} went`)
    const left = unusable.join('; ')
    if (left !== '' && left !== this.#left) log('warn', `keys of the issuer were left out: ${left}`)
    this.#left = left
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return
    const { log, random } = this.#context
    const wasFresh = this.#fresh()
    this.failures++
    this.#failuresInRow++
    if (this.#failuresInRow === 1) {
      const until = wasFresh ? 'its last keys are kept' : 'requests with its tokens get 503'
      log('warn', `the issuer's keys cannot be fetched, ${until}: ${messageOf(error)}`)
    } else if (this.#ring !== undefined && !wasFresh && !this.#toldOld) {
      this.#toldOld = true
      log('error', `the issuer's last keys are older than keepKeysFor: requests with its tokens get 503`)
    }
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(10, this.#failuresInRow - 1))
    this.#next(Math.min(this.#rules.refresh, pause) * (0.5 + 0.5 * random()))
  }

  #next(ms: number): void {
    this.#fetching = undefined
    if (this.#failuresInRow === 0) this.#toldOld = false
    if (!this.#closing.signal.aborted) this.#cancel = this.#context.after(ms, () => void this.#refresh())
  }
}
