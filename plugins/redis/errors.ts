/** Redis did not answer, or was not asked since it is known not to. */
export class RedisUnavailable extends Error {
  constructor(why: string, options?: { cause: unknown }) {
    super(`Redis cannot be used: ${why}`, options)
    this.name = 'RedisUnavailable'
  }
}
