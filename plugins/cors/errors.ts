import { GatewayError } from '../upstreams/errors.ts'

/** Told to whoever looks why a browser gave up on a preflight. */
export function originForbidden(): GatewayError {
  return new GatewayError('GTW_ORIGIN_FORBIDDEN', 403, 'client', 'Pages of this origin may not call this', {
    headers: { vary: 'Origin' },
  })
}
