import { GatewayError } from '../upstreams/errors.ts'

/** An alert's action refuses this request, to spare what is behind the gateway. */
export function shedError(retryAfterSeconds: number): GatewayError {
  return new GatewayError('GTW_SHED', 503, 'gateway', 'The gateway takes fewer requests for a while', {
    headers: { 'retry-after': String(retryAfterSeconds) },
  })
}
