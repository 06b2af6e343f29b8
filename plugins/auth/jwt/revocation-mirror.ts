import { messageOf } from '../../config/messages.ts'
import { idOf, type Revocation, type RevocationList } from './revocation-list.ts'
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

/**
 * Keeps the list here the same as the one in Redis, which all gateways share. What requests ask is the list here: it is
 * behind by `refresh` and the time of two answers at most, unless Redis is away.
 */
export class RevocationMirror {
  readonly #list: RevocationList
  readonly #store: RevocationStore
  readonly #refreshMs: number
  readonly #context: MirrorContext
  /** What Redis could not be told yet, by id. */
  readonly #untold = new Map<string, Revocation>()
  /** What was added here while the list is read from Redis, which may have answered before it was told. */
  #meanwhile: Revocation[] | undefined
  /** Of the list here; undefined until it was read. */
  #version: number | undefined
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
    const id = idOf(revocation)
    this.#list.add(revocation)
    this.#meanwhile?.push(revocation)
    this.#untold.set(id, revocation)
    try {
      await this.#tell(id, revocation)
      return true
    } catch {
      return false
    }
  }

  /** Rejects if Redis is away: it would come back from there. */
  async remove(id: string): Promise<boolean> {
    await this.#store.remove(id)
    this.#untold.delete(id)
    return this.#list.remove(id)
  }

  async #tell(id: string, revocation: Revocation): Promise<void> {
    await this.#store.add(revocation)
    // Unless it was removed, or replaced, while it was told.
    if (this.#untold.get(id) === revocation) this.#untold.delete(id)
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
    const pause = this.#version === undefined ? Math.min(AT_START_MS, this.#refreshMs) : this.#refreshMs
    this.#cancel = this.#context.after(pause, () => void this.#poll())
  }

  async #exchange(): Promise<void> {
    const version = (await this.#store.version()) ?? 0
    // Redis has lost what it had: it gets it back from those who know it still.
    const lost = this.#version !== undefined && version < this.#version
    if (lost) for (const one of this.#list.all()) this.#untold.set(idOf(one), one)
    for (const [id, one] of this.#untold) await this.#tell(id, one)
    if (this.#version === undefined || lost) await this.#load(version)
    else if (version > this.#version) await this.#follow(this.#version, version)
    const over = this.#list.prune(this.#context.date() - FORGET_AFTER_MS)
    await this.#store.forget(over.map(idOf))
  }

  async #follow(known: number, version: number): Promise<void> {
    const news = await this.#store.changesSince(known)
    if (news === undefined) return this.#load(version)
    for (const change of news.changes) {
      if ('added' in change) this.#list.add(change.added)
      else if (!this.#untold.has(change.removed)) this.#list.remove(change.removed)
    }
    this.#version = news.version
  }

  /** @param version of before: what changes while it is read comes again with the next news, which does no harm */
  async #load(version: number): Promise<void> {
    const meanwhile: Revocation[] = []
    this.#meanwhile = meanwhile
    try {
      const found = await this.#store.all((count) =>
        this.#context.log('warn', `${count} revocations in Redis cannot be read`),
      )
      this.#list.replace([...found.values(), ...meanwhile, ...this.#untold.values()])
    } finally {
      this.#meanwhile = undefined
    }
    this.#version = version
  }
}
