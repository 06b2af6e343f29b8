import { idOf, type Revocation } from './revocation-list.ts'

/** What is said to Redis: the part of ioredis' client that is used here. */
export interface RedisCommands {
  /** Seconds since 1970, and microseconds. */
  time(): Promise<readonly (string | number)[]>
  hget(key: string, field: string): Promise<string | null>
  hscan(key: string, cursor: string, count: 'COUNT', most: number): Promise<[string, string[]]>
  hdel(key: string, ...fields: string[]): Promise<number>
  lrange(key: string, from: number, to: number): Promise<string[]>
  multi(): RedisTransaction
}
export interface RedisTransaction {
  hset(key: string, field: string, value: string): RedisTransaction
  hdel(key: string, field: string): RedisTransaction
  rpush(key: string, value: string): RedisTransaction
  ltrim(key: string, from: number, to: number): RedisTransaction
  exec(): Promise<readonly (readonly [Error | null, unknown])[] | null>
}
export interface Redis {
  /** Resolves once it is there, or has not been for a while. */
  connect(): Promise<void>
  /** Rejects soon when Redis is away. */
  ask<T>(command: (client: RedisCommands) => Promise<T>): Promise<T>
}

/** One thing that somebody did to the list. */
export type Change = { readonly added: Revocation } | { readonly removed: string }

/**
 * Revocations by their ids, and the id of the last change. Both in one key: they are lost together or not at all. Ids of
 * revocations have no colon.
 */
const HASH = 'auth:revocations'
const LATEST = ':latest'
/** The last changes, each behind its id, so that a long list is not read anew for each. */
const LOG = `${HASH}:log`
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
  readonly #redis: Pick<Redis, 'ask'>
  readonly #newId: () => string

  /** @param newId an id without blanks that nobody else ever makes */
  constructor(redis: Pick<Redis, 'ask'>, newId: () => string) {
    this.#redis = redis
    this.#newId = newId
  }

  /** The time that Redis has: milliseconds since 1970. */
  async date(): Promise<number> {
    const [seconds, micros] = await this.#redis.ask((client) => client.time())
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }

  /** Id of the last change; null if there was none, or Redis has lost what it had. */
  latest(): Promise<string | null> {
    return this.#redis.ask((client) => client.hget(HASH, LATEST))
  }

  add(revocation: Revocation): Promise<void> {
    const text = JSON.stringify(revocation)
    return this.#change((todo) => todo.hset(HASH, idOf(revocation), text), `+${text}`)
  }

  remove(id: string): Promise<void> {
    return this.#change((todo) => todo.hdel(HASH, id), `-${id}`)
  }

  async #change(what: (todo: RedisTransaction) => RedisTransaction, line: string): Promise<void> {
    const id = this.#newId()
    const results = await this.#redis.ask((client) =>
      what(client.multi()).hset(HASH, LATEST, id).rpush(LOG, `${id} ${line}`).ltrim(LOG, -KEPT, -1).exec(),
    )
    const failed = results?.find(([error]) => error !== null)?.[0]
    if (results === null || failed) throw failed ?? new Error('Redis did not take a revocation')
  }

  /**
   * What has changed after the change of this id, and the id of the last one. Undefined if Redis knows nothing of such a
   * change: it was too long ago, or Redis was emptied, or is back as it was before. Counting changes would not tell: a
   * Redis that was emptied and told as much again has counted as many.
   */
  async changesSince(id: string): Promise<{ latest: string; changes: readonly Change[] } | undefined> {
    const log = await this.#redis.ask((client) => client.lrange(LOG, 0, -1))
    const known = log.findLastIndex((line) => line.startsWith(`${id} `))
    const last = log.at(-1)
    if (known === -1 || last === undefined) return undefined
    const changes = log.slice(known + 1).flatMap((entry): readonly Change[] => {
      const line = entry.slice(entry.indexOf(' ') + 1)
      if (line.startsWith('-')) return [{ removed: line.slice(1) }]
      const added = read(line.slice(1))
      return added === undefined ? [] : [{ added }]
    })
    return { latest: last.slice(0, last.indexOf(' ')), changes }
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
        if (entries[i] === LATEST) continue
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
