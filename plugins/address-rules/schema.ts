import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { guarded, nonEmptyList, object, optional } from '../config/kit.ts'
import { addressOrRange } from '../config/schema.ts'

const properties = {
  /** Addresses and ranges that are let in, and no others. Default: all. */
  allow: optional(nonEmptyList(addressOrRange, { noun: 'address' })),
  /** Those that are not, even if they are allowed. Default: none. */
  deny: optional(nonEmptyList(addressOrRange, { noun: 'address' })),
}

/** Clients by their address, for every request of the public listeners, the gateway's own endpoints too. Default: all. */
const addresses = optional(object(properties))
/** Clients of this route by their address, in addition to what holds for the gateway. Default: all. */
const routeAddresses = optional(object(properties))

export const schema = {
  gateway: { addresses: guarded(addresses) },
  route: { addresses: guarded(routeAddresses) },
}

declare module '../config/define.ts' {
  interface GatewaySchema {
    addresses: typeof addresses
  }
  interface RouteSchema {
    addresses: typeof routeAddresses
  }
}

export function check({ addresses, routes }: GatewayConfig): readonly Problem[] {
  const rules = [
    { rule: addresses, path: 'addresses' },
    ...routes.map((route, index) => ({ rule: route.addresses, path: `routes[${index}].addresses` })),
  ]
  return rules.flatMap(({ rule, path }) =>
    rule !== undefined && rule.allow === undefined && rule.deny === undefined
      ? [{ path, message: 'lets everybody in; write `allow` or `deny`, or take it out' }]
      : [],
  )
}
