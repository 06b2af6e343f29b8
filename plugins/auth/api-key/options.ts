import { date } from '../../config/dates.ts'
import { custom, flag, list, object, optional, shorthand, text, withDefault } from '../../config/kit.ts'

/** Where API keys are looked for. */
export const apiKeyOptions = object({
  /** Name of the request header. Default `x-api-key`. */
  header: withDefault(
    text({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", remedy: 'write the name of a header' }),
    'x-api-key',
  ),
  /**
   * Name of a query parameter in which keys are taken too. It is taken out of what is forwarded and logged, on every
   * route, but stays in the histories and logs of clients and of what stands before the gateway. Default: none.
   */
  query: optional(
    text({ pattern: '^[A-Za-z0-9._~-]+$', remedy: 'write a name of letters, digits, `.`, `_`, `~` and `-`' }),
  ),
  /** The header goes on to the upstream. The query parameter never does. Default false. */
  forward: withDefault(flag(), false),
})

// What is refused is not shown: it may well be the key itself, and messages are logged.
const hash = custom<string>(
  (value) =>
    typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value) ? undefined : 'is no hash of a key',
  { remedy: 'write the one that `npm run api-key` prints, never the key itself' },
)

/** One key of a consumer, or its bare hash. Several may be valid at once, so that a key can be changed without a gap. */
export const apiKey = shorthand(
  'hash',
  object({
    /** SHA-256 of the key, as `npm run api-key` prints it. */
    hash,
    /** What the key is for: in the log, and for whoever reads the config. */
    name: optional(text({ minLength: 1 })),
    /** No longer taken from then on. Default: never. */
    expires: optional(date),
    /** What a caller with this key may do, instead of the consumer's `scopes`: less, or something else. */
    scopes: optional(list(text({ minLength: 1 }))),
  }),
)
