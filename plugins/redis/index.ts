import type { ConnectionOptions } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Redis } from 'ioredis'
import { clientTlsOptions } from '../config/client-tls.ts'
import type { GatewayConfig } from '../config/define.ts'
import { type Client, GuardedRedis } from './guarded.ts'
import type { After } from './patience.ts'

/** A Redis that several gateways share, for plugins that count or remember. */
export interface SharedRedis {
  /**
   * Resolves once Redis is there or, at the start, has not been for a second. It is called when the server gets ready;
   * who needs Redis in an `onReady` of its own waits for it there, since that may come earlier.
   */
  connect(): Promise<void>
  /**
   * Runs a command, or several, and answers as they do. Rejects within `redis.timeout` even if Redis is frozen, and
   * at once while it is known not to answer: whoever asks has to know what to do without it.
   */
  ask<T>(command: (client: Redis) => Promise<T>): Promise<T>
  /** Whether it would be asked now. */
  readonly available: boolean
  /** Hears when it goes and when it is back. */
  onChange(listener: (available: boolean) => void): void
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Null where the config has no `redis`. */
    redis: SharedRedis | null
  }
}

type Options = NonNullable<GatewayConfig['redis']>

const FIRST_RECONNECT = 50
const LONGEST_RECONNECT = 2000
/** How long the start waits for Redis, in milliseconds. It goes on without. */
const START = 1000

/**
 * A timer's turn comes before that of the sockets: after a pause of this process, answers that have been there for
 * long would count as late. So it waits until the sockets have been read.
 */
const after: After = (ms, run) => {
  let immediate: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    immediate = setImmediate(run)
  }, ms).unref()
  return () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
}

function tlsOptions({ url, tls }: Options): ConnectionOptions | undefined {
  if (!url.startsWith('rediss:')) return undefined
  return { minVersion: 'TLSv1.2', ...clientTlsOptions(tls) }
}

/** Of an error only what cannot hold a password. */
function reason(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  return code ?? (message ?? String(error)).split('\n', 1)[0]?.slice(0, 200) ?? 'unknown'
}

async function connectTo(app: FastifyInstance, options: Options): Promise<SharedRedis> {
  // Only where there is something to connect to: loading it takes longer than most plugins.
  const { Redis } = await import('ioredis')
  const tls = tlsOptions(options)
  const redis = new Redis(options.url, {
    lazyConnect: true,
    keyPrefix: options.keyPrefix,
    // A command that cannot be sent now, or whose connection breaks, is over: nothing is sent late or twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: START,
    protocol: 2,
    disableClientInfo: true,
    retryStrategy: (times) =>
      Math.min(LONGEST_RECONNECT, FIRST_RECONNECT * 2 ** Math.min(times - 1, 10)) * (0.5 + Math.random() / 2),
    // A primary that has become a replica: its name may lead to the new one by now. Redis before 7 tells of it in the
    // middle of what it says of a script.
    reconnectOnError: ({ message }) => /\bREADONLY\b/.test(message),
    ...(tls === undefined ? {} : { tls }),
  })
  const client = Object.assign(redis, { reconnect: () => redis.disconnect(true) }) as Redis & Client
  const guarded = new GuardedRedis(
    client,
    options.timeout,
    () => performance.now(),
    after,
    (up, why) => {
      if (up) app.log.info('redis is there')
      else app.log.warn(`redis is gone: ${why}; the gateway goes on without it`)
    },
  )

  const closed = 'the connection was closed'
  let last = closed
  redis.on('error', (error) => {
    last = reason(error)
  })
  redis.on('connect', () => guarded.connecting())
  redis.on('ready', () => {
    last = closed
    guarded.connected()
  })
  redis.on('close', () => guarded.disconnected(last))

  let connecting: Promise<void> | undefined
  const connect = (): Promise<void> => {
    connecting ??= Promise.race([
      redis.connect().catch(() => {}),
      new Promise<void>((resolve) => void after(START, resolve)),
    ])
    return connecting
  }
  app.addHook('onReady', connect)
  // Not earlier: during the drain requests are still counted.
  app.addHook('onClose', async () => {
    guarded.close()
    redis.disconnect()
  })
  app.upstreams.measure({
    name: 'redis_up',
    help: 'Whether the shared Redis answers.',
    type: 'gauge',
    labels: [],
    collect: (add) => add(guarded.available ? 1 : 0),
  })
  app.upstreams.measure({
    name: 'redis_unanswered_total',
    help: 'Commands that the shared Redis did not answer in time.',
    type: 'counter',
    labels: [],
    collect: (add) => add(guarded.unanswered),
  })
  return Object.assign(guarded, { connect }) as SharedRedis
}

export default fp(
  async (app) => {
    const { redis } = app.gateway
    app.decorate('redis', redis === undefined ? null : await connectTo(app, redis))
  },
  { name: 'redis', dependencies: ['config', 'upstreams'] },
)
