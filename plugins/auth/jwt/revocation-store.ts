import { idOf, type Revocation } from './revocation-list.ts'

/** What is said to Redis: the part of ioredis' client that is used here. */
export interface RedisCommands {
  get(key: string): Promise<string | null>
  hscan(key: string, cursor: string, count: 'COUNT', most: number): Promise<[string, string[]]>
  hdel(key: string, ...fields: string[]): Promise<number>
  multi(): RedisTransaction
}
export interface RedisTransaction {
  get(key: string): RedisTransaction
  hset(key: string, field: string, value: string): RedisTransaction
  hdel(key: string, field: string): RedisTransaction
  rpush(key: string, value: string): RedisTransaction
  ltrim(key: string, from: number, to: number): RedisTransaction
  lrange(key: string, from: number, to: number): RedisTransaction
  incr(key: string): RedisTransaction
  exec(): Promise<readonly (readonly [Error | null, unknown])[] | null>
}
/** Rejects soon when Redis is away. */
export interface Redis {
  ask<T>(command: (client: RedisCommands) => Promise<T>): Promise<T>
}

/** One thing that somebody did to the list. */
export type Change = { readonly added: Revocation } | { readonly removed: string }

const HASH = 'auth:revocations'
/** The last changes, so that a long list is not read anew for each. */
const LOG = `${HASH}:log`
/** Raised with each change, so that looking for news costs one small answer. */
const VERSION = `${HASH}:version`
/** Changes that are kept: who has missed more reads the whole list. */
const KEPT = 1000
/** So many are read with one command: each has to be answered within `redis.timeout`. */
const AT_ONCE = 500

function read(text: string): Revocation | undefined {
  try {
    const { issuer, kind, value, before, until } = JSON.parse(text)
    const whole =
      typeof issuer === 'string' &&
      (kind === 'jti' || kind === 'subject') &&
      typeof value === 'string' &&
      typeof before === 'number' &&
      (until === undefined || typeof until === 'number')
    return whole ? { issuer, kind, value, before, until } : undefined
  } catch {
    return undefined
  }
}

/** The list in Redis that all gateways share. All of it rejects when Redis is away. */
export class RevocationStore {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** How many changes there were; undefined if there were none, or Redis has lost what it had. */
  async version(): Promise<number | undefined> {
    const text = await this.#redis.ask((client) => client.get(VERSION))
    return text === null ? undefined : Number(text)
  }

  async add(revocation: Revocation): Promise<void> {
    const text = JSON.stringify(revocation)
    await this.#change((todo) => todo.hset(HASH, idOf(revocation), text).rpush(LOG, `+${text}`))
  }

  async remove(id: string): Promise<void> {
    await this.#change((todo) => todo.hdel(HASH, id).rpush(LOG, `-${id}`))
  }

  async #change(what: (todo: RedisTransaction) => RedisTransaction): Promise<void> {
    const results = await this.#redis.ask((client) =>
      what(client.multi()).ltrim(LOG, -KEPT, -1).incr(VERSION).exec(),
    )
    const failed = results?.find(([error]) => error !== null)?.[0]
    if (results === null || failed) throw failed ?? new Error('Redis did not take a revocation')
  }

  /** What has changed after this version, and the version then; undefined if that is not known any more. */
  async changesSince(version: number): Promise<{ version: number; changes: readonly Change[] } | undefined> {
    const results = await this.#redis.ask((client) => client.multi().get(VERSION).lrange(LOG, 0, -1).exec())
    const [now, log] = results?.map(([, result]) => result) ?? []
    const missed = Number(now) - version
    if (!Array.isArray(log) || !(missed >= 0 && missed <= log.length)) return undefined
    const changes = log.slice(log.length - missed).flatMap((line: string): readonly Change[] => {
      if (line.startsWith('-')) return [{ removed: line.slice(1) }]
      const added = read(line.slice(1))
      return added === undefined ? [] : [{ added }]
    })
    return { version: Number(now), changes }
  }

  /** @param unreadable hears how many entries are none */
  async all(unreadable: (count: number) => void): Promise<Map<string, Revocation>> {
    const found = new Map<string, Revocation>()
    let wrong = 0
    let cursor = '0'
    do {
      const at = cursor
      const [next, entries] = await this.#redis.ask((client) => client.hscan(HASH, at, 'COUNT', AT_ONCE))
      for (let i = 0; i < entries.length; i += 2) {
        const one = read(entries[i + 1] as string)
        if (one === undefined) wrong++
        else found.set(entries[i] as string, one)
      }
      cursor = next
    } while (cursor !== '0')
    if (wrong > 0) unreadable(wrong)
    return found
  }

  /** Drops what concerns expired tokens only: nobody has to hear of it. */
  async forget(ids: readonly string[]): Promise<void> {
    for (let i = 0; i < ids.length; i += AT_ONCE) {
      await this.#redis.ask((client) => client.hdel(HASH, ...ids.slice(i, i + AT_ONCE)))
    }
  }
}
