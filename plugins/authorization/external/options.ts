import {
  duration,
  flag,
  integer,
  list,
  object,
  oneOf,
  optional,
  size,
  text,
  upstreamName,
  withDefault,
} from '../../config/kit.ts'

const header = text({
  pattern: "^[!#$%&'*+.^_`|~0-9a-z-]+$",
  remedy: 'write the name of a header in lower case: "authorization"',
})

/** A service that is asked whether a request may pass: 2xx lets it, every other answer below 500 refuses it. */
export const external = object({
  /** The upstream that is asked, with its balancing and health. One of `upstream` and `url`. */
  upstream: optional(upstreamName()),
  /** Path at that upstream. Default `/`. */
  path: optional(text({ pattern: '^/[!-~]*$', remedy: 'write a path like "/check"' })),
  /** Where a service is asked that is no upstream: `https://authz.internal/check`. */
  url: optional(
    text({ pattern: '^https?://[!-~]+$', remedy: 'write "http://" or "https://", host and path' }),
  ),
  /** For an answer, another attempt included. Default 1s. */
  timeout: withDefault(duration({ minimum: 1, maximum: '1m' }), '1s'),
  /** Headers of the request that the service is shown, besides who calls (`X-Identity-Id`) and what is asked for. Default `['authorization', 'cookie']`. */
  headers: withDefault(list(header), ['authorization', 'cookie']),
  /**
   * What happens to requests while the service cannot be reached, gives no answer in time or a 5xx: `deny` is 503.
   * There is no default: it is yours to say whether security or availability goes first.
   */
  onFailure: oneOf(['deny', 'allow']),
  /** Headers of a 2xx that the upstream is told. What clients send under these names never reaches it. Default none. */
  toUpstream: withDefault(list(header), []),
  /**
   * Headers of a 401 or 403 that the client is told besides `WWW-Authenticate`. With `location` among them a redirect
   * is told too, to a log-in; without, it is a 403. Default none.
   */
  toClient: withDefault(list(header), []),
  /** How many may be asked at once; requests beyond get 503. Default 256. */
  concurrency: withDefault(integer({ minimum: 1, maximum: 65_536 }), 256),
  /** Longest question, in bytes of its headers; longer ones are not asked but refused (431). Default 8KiB. */
  questionLimit: withDefault(size({ minimum: '1KiB', maximum: '1MiB' }), '8KiB'),
  /** Answers are good for later requests that the service would be shown alike. Default: none is kept. */
  cache: optional(
    object({
      ttl: duration({ minimum: 1, maximum: '1h' }),
      /** How many are kept. Default 10000. */
      max: withDefault(integer({ minimum: 1, maximum: 1_000_000 }), 10_000),
      /** The service decides by the `headers` and who calls alone, not by method, path or address. Default false. */
      callerOnly: withDefault(flag(), false),
    }),
  ),
})
