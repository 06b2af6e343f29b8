import { GatewayError } from '../upstreams/errors.ts'

export function addressDenied(): GatewayError {
  return new GatewayError('GTW_ADDRESS_DENIED', 403, 'client', 'This is not allowed from where you are', {
    headers: { 'cache-control': 'no-store' },
  })
}
