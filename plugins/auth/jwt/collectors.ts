import type { Collector } from '../../upstreams/measures.ts'
import type { PublishedKeys } from './published-keys.ts'
import type { RevocationList } from './revocation-list.ts'
import type { RevocationMirror } from './revocation-mirror.ts'
import type { TokenVerifier } from './verify.ts'

type Kind = Collector['type']

function plain(name: string, type: Kind, help: string, value: () => number | undefined): Collector {
  return {
    name,
    help,
    type,
    labels: [],
    collect(add) {
      const now = value()
      if (now !== undefined) add(now)
    },
  }
}

/**
 * How it stands with issuers' keys, with remembered tokens and with revocations.
 * @param sources issuers that publish their keys, by name
 */
export function collectors(
  sources: readonly (readonly [string, PublishedKeys])[],
  verifier: TokenVerifier,
  revocations: RevocationList,
  mirror: RevocationMirror | undefined,
): Collector[] {
  const byIssuer = (
    name: string,
    type: Kind,
    help: string,
    of: (keys: PublishedKeys) => number,
  ): Collector => ({
    name,
    help,
    type,
    labels: ['issuer'],
    collect(add) {
      for (const [issuer, keys] of sources) add(of(keys), issuer)
    },
  })
  const age = (): number | undefined =>
    mirror === undefined || mirror.age === Number.POSITIVE_INFINITY ? undefined : mirror.age / 1000
  return [
    byIssuer(
      'jwks_last_success_timestamp_seconds',
      'gauge',
      "When an issuer's keys were last fetched; 0 is never.",
      (keys) => keys.lastSuccess,
    ),
    byIssuer(
      'jwks_refresh_failures_total',
      'counter',
      "Fetches of an issuer's keys that failed.",
      (keys) => keys.failures,
    ),
    byIssuer('jwks_keys', 'gauge', 'Keys of an issuer that can be used.', (keys) => keys.size),
    plain(
      'jwt_cache_hits_total',
      'counter',
      'Tokens that were known from an earlier request.',
      () => verifier.hits,
    ),
    plain('jwt_cache_misses_total', 'counter', 'Tokens that had to be verified.', () => verifier.misses),
    plain('jwt_cached_tokens', 'gauge', 'Tokens that are remembered.', () => verifier.size),
    plain('jwt_revocations', 'gauge', 'Revocations that are known here.', () => revocations.size),
    plain(
      'jwt_revocations_age_seconds',
      'gauge',
      'Time since the revocations were last known to be those in Redis; nothing without Redis, or before the first time.',
      age,
    ),
  ]
}
