import type { Denials } from './denials.ts'
import { type Claim, type Limit, refuses } from './limit.ts'
import type { LocalStore } from './local-store.ts'

/** Runs the script of `script.ts`. Rejects if there is no answer, and never takes long to. */
export type RunScript = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>

export interface SharedStoreOptions {
  /** Microseconds that an answer of Redis is waited for. */
  readonly timeout: number
  /** Whether Redis is to be asked at all. */
  readonly available: () => boolean
  readonly run: RunScript
  /** A short name for a key of any length, that says nothing of it. */
  readonly digest: (key: string) => string
  /** What Redis is not asked again for a while. */
  readonly denials: Denials
  /** Counts while Redis does not. */
  readonly fallback: LocalStore
  /** Microseconds, whole, monotonic. */
  readonly now: () => number
  /** Hears what Redis has refused to do. */
  readonly onError: (error: unknown) => void
}

const LATE = -1
/** Numbers of an answer for each key. */
const PER_KEY = 4

/** What the script answers to so many keys. Throws if it is anything else: Redis, or what is taken for it, has not run it. */
function numbersOf(answer: unknown, keys: number): readonly number[] {
  const whole = Array.isArray(answer) && answer.every(Number.isFinite)
  if (!whole || (answer.length !== 2 + keys * PER_KEY && answer[0] !== LATE))
    throw new TypeError('redis answered with something else than what the script says')
  return answer
}

/** All keys have one hash tag, so that one script may touch several of them; with the parameters, since the states are in their units. */
function prefixOf({ id, algorithm }: Limit): string {
  return `{limits}:${algorithm.kind}:${algorithm.parameters.join(':')}:${id}:`
}

/** Counts in Redis together with others, and in this process whenever Redis does not answer. */
export class SharedStore {
  /** Requests that were decided here. */
  fallbacks = 0
  readonly #options: SharedStoreOptions
  readonly #prefixes: readonly string[]
  /** Redis' clock less ours at the last answer, in microseconds: too much by no more than that answer took. */
  #ahead: number | undefined

  constructor(limits: readonly Limit[], options: SharedStoreOptions) {
    this.#options = options
    this.#prefixes = limits.map(prefixOf)
  }

  /** As the local store's, with an answer at once while Redis is known to be gone. */
  decide(claims: readonly Claim[]): boolean | Promise<boolean> {
    if (!this.#options.available()) return this.#alone(claims)
    return this.#isDenied(claims) ? false : this.#ask(claims)
  }

  /** For whenever Redis has become available: it may be another one. Compares the clocks before there is a charge. */
  async calibrate(): Promise<void> {
    this.#options.denials.clear()
    const sentAt = this.#options.now()
    try {
      this.#compareClocks(numbersOf(await this.#options.run([], [0]), 0), sentAt)
    } catch (error) {
      this.#options.onError(error)
    }
  }

  async #ask(claims: readonly Claim[]): Promise<boolean> {
    const { run, now, onError } = this.#options
    const sentAt = now()
    let verdict: number | undefined
    let numbers: readonly number[]
    try {
      const answer = numbersOf(
        await run(this.#keysOf(claims), this.#argumentsOf(claims, sentAt)),
        claims.length,
      )
      this.#compareClocks(answer, sentAt)
      ;[verdict, , ...numbers] = answer
    } catch (error) {
      onError(error)
      return this.#alone(claims)
    }
    if (verdict === LATE) return this.#alone(claims)
    for (const [i, claim] of claims.entries()) {
      const [fits, remaining, wait, reset] = numbers.slice(i * PER_KEY) as [number, number, number, number]
      claim.fits = fits === 1
      claim.remaining = remaining
      claim.wait = wait < 0 ? Number.POSITIVE_INFINITY : wait
      claim.reset = reset
      // From when it was sent, since it may have been decided then.
      if (refuses(claim)) this.#options.denials.note(claim, sentAt)
    }
    return verdict === 1
  }

  /** What is known to be refused need not be asked; nothing is known then of the other limits. */
  #isDenied(claims: readonly Claim[]): boolean {
    const { denials, now } = this.#options
    const time = now()
    let denied = false
    for (const claim of claims) if (!claim.limit.rule.dryRun && denials.knows(claim, time)) denied = true
    if (denied) for (const claim of claims) claim.known = !claim.fits
    return denied
  }

  /** By what was answered fast: a late verdict of that kind means that the clock of Redis was set. */
  #compareClocks([, time]: readonly number[], sentAt: number): void {
    if (this.#options.now() - sentAt <= this.#options.timeout) this.#ahead = (time as number) - sentAt
  }

  #alone(claims: readonly Claim[]): boolean {
    this.fallbacks++
    return this.#options.fallback.decide(claims, this.#options.now())
  }

  #keysOf(claims: readonly Claim[]): string[] {
    return claims.map(({ limit, key }) => this.#prefixes[limit.index] + this.#options.digest(key))
  }

  /**
   * With a time after which Redis is not to charge any more: what a frozen one finds in its socket when it thaws was
   * decided here long ago.
   */
  #argumentsOf(claims: readonly Claim[], sentAt: number): number[] {
    const deadline = this.#ahead === undefined ? 0 : sentAt + this.#options.timeout + this.#ahead
    const args = [deadline]
    for (const { limit, cost } of claims) {
      const { kind, parameters } = limit.algorithm
      args.push(kind === 'gcra' ? 0 : 1, limit.rule.dryRun ? 1 : 0, cost, ...parameters)
    }
    return args
  }
}
