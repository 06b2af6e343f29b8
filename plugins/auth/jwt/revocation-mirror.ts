import { messageOf } from '../../config/messages.ts'
import { idOf, type Revocation, type RevocationList, stricter } from './revocation-list.ts'
import type { RevocationStore } from './revocation-store.ts'

/** What the mirror is connected with. */
export interface MirrorContext {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since 1970. */
  date(): number
  after(ms: number, run: () => void): () => void
  log(level: 'info' | 'warn', text: string): void
}

/** How soon it is tried again while nothing could be read yet. */
const AT_START_MS = 100
/** What is over is forgotten so much later: somebody may have just prolonged it. */
const FORGET_AFTER_MS = 60_000

interface Unseen {
  readonly revocation: Revocation
  /** Redis has taken it. It may have lost it again before anybody looked. */
  told: boolean
}

/**
 * Keeps the list here the same as the one in Redis, which all gateways share. What requests ask is the list here: it is
 * behind by `refresh` and the time of two answers at most, unless Redis is away.
 */
export class RevocationMirror {
  readonly #list: RevocationList
  readonly #store: RevocationStore
  readonly #refreshMs: number
  readonly #context: MirrorContext
  /** What was added here and has not been seen in Redis yet, by id. */
  readonly #unseen = new Map<string, Unseen>()
  /** The last change that the list here has in it: null if there was none, undefined until it was read. */
  #at: string | null | undefined
  #heardAt = Number.NEGATIVE_INFINITY
  #away = false
  #stopped = false
  #cancel = (): void => {}

  constructor(list: RevocationList, store: RevocationStore, refreshMs: number, context: MirrorContext) {
    this.#list = list
    this.#store = store
    this.#refreshMs = refreshMs
    this.#context = context
  }

  /** Whether the list was ever known to be that in Redis. */
  get heard(): boolean {
    return this.#heardAt !== Number.NEGATIVE_INFINITY
  }

  /** Milliseconds since the list was last known to be that in Redis. */
  get age(): number {
    return this.#context.now() - this.#heardAt
  }

  /** Resolves when Redis was asked for the first time. */
  start(): Promise<void> {
    return this.#poll()
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  /** False if Redis is away: it counts here at once, and for the others when Redis is back. */
  async add(revocation: Revocation): Promise<boolean> {
    this.#list.add(revocation)
    const unseen = { revocation, told: false }
    this.#unseen.set(idOf(revocation), unseen)
    try {
      await this.#tell(unseen)
      return true
    } catch {
      return false
    }
  }

  /** Rejects if Redis is away: it would come back from there. */
  async remove(id: string): Promise<boolean> {
    await this.#store.remove(id)
    this.#unseen.delete(id)
    return this.#list.remove(id)
  }

  async #tell(unseen: Unseen): Promise<void> {
    await this.#store.add(unseen.revocation)
    unseen.told = true
  }

  async #poll(): Promise<void> {
    try {
      await this.#exchange()
      if (this.#away) this.#context.log('info', 'Redis is back: revocations are shared again')
      this.#away = false
      this.#heardAt = this.#context.now()
    } catch (error) {
      const why = messageOf(error)
      if (!this.#away) this.#context.log('warn', `Redis is away: revocations are not shared (${why})`)
      this.#away = true
    }
    if (this.#stopped) return
    const pause = this.#at === undefined ? Math.min(AT_START_MS, this.#refreshMs) : this.#refreshMs
    this.#cancel = this.#context.after(pause, () => void this.#poll())
  }

  async #exchange(): Promise<void> {
    // Each of them is in Redis now, or Redis has lost it.
    const told = [...this.#unseen.values()].filter((one) => one.told)
    const latest = await this.#store.latest()
    if (latest !== this.#at && !(await this.#follow())) await this.#load(latest, told)
    for (const one of told) one.told = false
    for (const one of this.#unseen.values()) if (!one.told) await this.#tell(one)
    await this.#forget()
  }

  async #forget(): Promise<void> {
    const mine = this.#context.date() - FORGET_AFTER_MS
    if (this.#list.over(mine).length === 0) return
    // The clock here may be ahead: what the others still need is over by that of Redis too.
    const over = this.#list.over(Math.min(mine, (await this.#store.date()) - FORGET_AFTER_MS))
    this.#list.forget(over)
    await this.#store.forget(over.map(idOf))
  }

  #seen(revocation: Revocation): void {
    const id = idOf(revocation)
    const mine = this.#unseen.get(id)?.revocation
    if (mine !== undefined && stricter(mine, revocation) === revocation) this.#unseen.delete(id)
  }

  /** False if it is not known what has changed. */
  async #follow(): Promise<boolean> {
    const news = typeof this.#at === 'string' ? await this.#store.changesSince(this.#at) : undefined
    if (news === undefined) return false
    for (const change of news.changes) {
      if ('added' in change) {
        this.#seen(change.added)
        this.#list.add(this.#unseen.get(idOf(change.added))?.revocation ?? change.added)
      } else if (!this.#unseen.has(change.removed)) this.#list.remove(change.removed)
    }
    this.#at = news.latest
    return true
  }

  /**
   * @param latest of before: what changes while the list is read comes again with the next news, which does no harm
   * @param told to Redis before that
   */
  async #load(latest: string | null, told: readonly Unseen[]): Promise<void> {
    const found = await this.#store.all((count) =>
      this.#context.log('warn', `${count} revocations in Redis cannot be read`),
    )
    for (const { revocation } of told) {
      const there = found.get(idOf(revocation))
      if (there !== undefined) this.#seen(there)
    }
    this.#giveBack(found)
    this.#list.replace([...found.values(), ...this.#unseen.values().map(({ revocation }) => revocation)])
    this.#at = latest
  }

  /**
   * What only this list has is told to Redis, which has lost it. Or it was removed, and so much has changed since that
   * Redis does not say so any more: then it comes back, for a token that is refused is better than one that is not.
   */
  #giveBack(found: ReadonlyMap<string, Revocation>): void {
    if (this.#at === undefined) return
    for (const here of this.#list.all()) {
      const id = idOf(here)
      const there = found.get(id)
      const both = there === undefined ? here : stricter(here, there)
      if (both !== there && !this.#unseen.has(id)) this.#unseen.set(id, { revocation: both, told: false })
    }
  }
}
