import { GatewayError, NO_STORE } from '../upstreams/errors.ts'

/** @param challenge value of `WWW-Authenticate`, where the caller can do something about it */
export function forbidden(challenge?: string, cause?: unknown): GatewayError {
  const headers = challenge === undefined ? NO_STORE : { 'www-authenticate': challenge, ...NO_STORE }
  return new GatewayError('GTW_FORBIDDEN', 403, 'client', 'This is not allowed', {
    headers,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** What decides could not be told of all of it. */
export function tooLarge(): GatewayError {
  const told = "The path and headers of the request are too large for this route's access to be decided"
  const cause = { message: 'authorization.external: the question is larger than questionLimit' }
  return new GatewayError('GTW_BAD_REQUEST', 431, 'client', told, { headers: NO_STORE, cause })
}

/** What decides cannot be asked now. */
export function undecided(why: string): GatewayError {
  return new GatewayError(
    'GTW_AUTHORIZATION_UNAVAILABLE',
    503,
    'gateway',
    'Access cannot be decided at the moment',
    {
      headers: { 'retry-after': '5', ...NO_STORE },
      cause: { message: why },
    },
  )
}

/** Challenge for a token whose scopes do not suffice (RFC 6750, 3.1). The scopes are those that would. */
export function insufficientScope(realm: string | undefined, scopes: readonly string[]): string {
  const start = realm === undefined ? '' : `realm="${realm}", `
  return `Bearer ${start}error="insufficient_scope", scope="${scopes.join(' ')}"`
}
