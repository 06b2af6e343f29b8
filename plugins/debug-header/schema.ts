import { nonEmptyList, object, optional, text, withDefault } from '../config/kit.ts'
import { addressOrRange } from '../config/schema.ts'

/** Tells those who are trusted, and ask with `x-holdfast-debug: 1`, which attempts were made for their request. */
const debugHeader = optional(
  object({
    /** Addresses and ranges of the peers that may ask. What a peer says in X-Forwarded-For counts for nothing. */
    trusted: nonEmptyList(addressOrRange, { noun: 'address or range' }),
    /** Name of the response header. Default `x-holdfast-attempts`. */
    name: withDefault(
      text({ pattern: '^[Xx]-[A-Za-z0-9-]+$', remedy: 'write a name like "x-holdfast-attempts"' }),
      'x-holdfast-attempts',
    ),
  }),
)

export const schema = { gateway: { debugHeader } }

declare module '../config/define.ts' {
  interface GatewaySchema {
    debugHeader: typeof debugHeader
  }
}
