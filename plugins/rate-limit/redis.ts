/** Where the limits meet the shared Redis: `app.redis`, if it is there. */
import { hash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { decorated } from '../config/decorated.ts'
import { Denials } from './denials.ts'
import type { KeyedHash } from './keyed-hash.ts'
import type { Limit } from './limit.ts'
import { LocalStore } from './local-store.ts'
import { limitScript } from './script.ts'
import { type RunScript, SharedStore } from './shared-store.ts'

/** Milliseconds between two lines about what Redis refuses to do. */
const REPORT_EVERY = 10_000

interface Client {
  defineCommand(name: string, definition: { lua: string }): void
  holdfastLimit?(keys: number, ...args: readonly (string | number)[]): Promise<unknown>
}
interface SharedRedis {
  ask<T>(command: (client: Client) => Promise<T>): Promise<T>
  readonly available: boolean
  onChange(listener: (available: boolean) => void): void
}

function scriptOn(redis: SharedRedis): RunScript {
  const lua = limitScript()
  return (keys, args) =>
    redis.ask((client) => {
      if (client.holdfastLimit === undefined) client.defineCommand('holdfastLimit', { lua })
      return (client.holdfastLimit as NonNullable<Client['holdfastLimit']>)(keys.length, ...keys, ...args)
    })
}

/**
 * The store that all gateways share, and what counts while Redis does not; undefined if each counts for itself.
 * @param now microseconds, whole
 */
export function shareThroughRedis(
  app: FastifyInstance,
  limits: readonly Limit[],
  hashOf: KeyedHash,
  now: () => number,
): { readonly store: SharedStore; readonly fallback: LocalStore } | undefined {
  const { store, maxKeys } = app.gateway.rateLimits
  const redis = decorated<SharedRedis>(app, 'redis')
  if (redis === undefined || store === 'local') return undefined
  const { timeout } = (app.gateway as unknown as { redis: { timeout: number } }).redis
  const fallback = new LocalStore(limits, ({ part }) => part, hashOf, maxKeys)
  let reportedAt = Number.NEGATIVE_INFINITY
  const shared = new SharedStore(limits, {
    timeout: timeout * 1000,
    available: () => redis.available,
    run: scriptOn(redis),
    digest: (key) => hash('sha256', key, 'base64url').slice(0, 22),
    denials: new Denials(hashOf),
    fallback,
    now,
    onError(error) {
      // That it is gone is told by the one who watches it.
      if (!redis.available || performance.now() - reportedAt < REPORT_EVERY) return
      reportedAt = performance.now()
      app.log.warn({ err: error }, 'limits cannot be counted in redis; each gateway counts for itself')
    },
  })
  const calibrate = (available: boolean): void => {
    if (available) void shared.calibrate()
  }
  calibrate(redis.available)
  redis.onChange(calibrate)
  return { store: shared, fallback }
}
