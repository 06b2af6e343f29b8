import { GatewayError, NO_STORE } from '../upstreams/errors.ts'

/** Seconds after which it is worth asking again when it could not be told who a caller is. */
const RETRY_AFTER = '5'

function cause(why: string): { cause: { message: string } } {
  return { cause: { message: why } }
}

/** What was brought is not good. */
export function refused(challenges: string, told: string, why: string): GatewayError {
  const headers = { 'www-authenticate': challenges, ...NO_STORE }
  return new GatewayError('GTW_UNAUTHENTICATED', 401, 'client', told, { headers, ...cause(why) })
}

/** The request is not of the form in which credentials are brought (RFC 6750, 3.1: invalid_request). */
export function malformed(challenges: string, told: string, why: string): GatewayError {
  const headers = { 'www-authenticate': challenges, ...NO_STORE }
  return new GatewayError('GTW_BAD_REQUEST', 400, 'client', told, { headers, ...cause(why) })
}

/** It cannot be told now who it is. */
export function unavailable(why: string): GatewayError {
  const headers = { 'retry-after': RETRY_AFTER, ...NO_STORE }
  const told = 'Credentials cannot be checked at the moment'
  return new GatewayError('GTW_AUTH_UNAVAILABLE', 503, 'gateway', told, { headers, ...cause(why) })
}
