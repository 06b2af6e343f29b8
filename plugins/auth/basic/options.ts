import { custom, duration, flag, integer, object, withDefault } from '../../config/kit.ts'
import { parsePasswordHash, passwordHashProblem } from './phc.ts'

/** How names and passwords (RFC 7617) are asked for and checked. */
export const basicOptions = object({
  /** A password that was right is not hashed again for so long. Default 1m. */
  cacheFor: withDefault(duration({ maximum: '1h' }), '1m'),
  /** At most so many passwords are remembered to be right, and as many to be wrong. Default 10000. */
  cacheSize: withDefault(integer({ minimum: 0 }), 10_000),
  /**
   * Passwords that are hashed at once. Each takes a thread of Node's pool (`UV_THREADPOOL_SIZE`, by default 4), which
   * look-ups of names need too. Default 2.
   */
  concurrency: withDefault(integer({ minimum: 1, maximum: 64 }), 2),
  /** Requests that wait for their turn to be hashed; further ones are refused with 503. Default 32. */
  queue: withDefault(integer({ minimum: 0 }), 32),
  /** The header `Authorization` goes on to the upstream. Default false. */
  forward: withDefault(flag(), false),
})

/** The hash of a consumer's password, as `npm run api-key -- --password` prints it. */
export const passwordHash = custom<string>(
  (value) => (typeof value === 'string' ? passwordHashProblem(parsePasswordHash(value)) : 'must be text'),
  { remedy: 'write the hash that `npm run api-key -- --password` prints' },
)
