import { clientTls, clientTlsProblems } from '../config/client-tls.ts'
import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { custom, duration, guarded, object, optional, shorthand, text, withDefault } from '../config/kit.ts'
import { refuseUrl } from './url.ts'

/** A Redis that several gateways share. Without it, each counts for itself. */
const redis = optional(
  shorthand(
    'url',
    object({
      /**
       * `redis://user:password@host:6379/0`, `rediss://` for TLS. It holds a password: take it from the environment,
       * `process.env.REDIS_URL`.
       */
      url: custom<string>(refuseUrl, { remedy: 'write redis://host:6379 or rediss://host:6379' }),
      /** Longest that a request waits for an answer. Default 50ms. */
      timeout: withDefault(duration({ minimum: '1ms', maximum: '10s' }), '50ms'),
      /** With `rediss://`. */
      tls: optional(clientTls),
      /** Before every key. Gateways that are to share nothing differ in it. Default `holdfast:`. */
      keyPrefix: withDefault(text(), 'holdfast:'),
    }),
  ),
)

export const schema = { gateway: { redis: guarded(redis) } }

export function check({ redis: options }: Pick<GatewayConfig, 'redis'>): readonly Problem[] {
  const tls = options?.tls
  if (options === undefined || tls === undefined) return []
  const path = 'redis.tls'
  const problems: Problem[] = []
  if (!options.url.startsWith('rediss:')) {
    problems.push({ path, message: 'does nothing without TLS; take it out or write rediss:// in `url`' })
  }
  return [...problems, ...clientTlsProblems(tls, path)]
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    redis: typeof redis
  }
}
