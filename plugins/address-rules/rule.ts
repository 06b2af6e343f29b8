import { addressList, isAddress } from '../config/addresses.ts'

export interface AddressRule {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
}

/**
 * Whether an address may come in: `deny` wins, and an `allow` shuts out all others. What is no address never may:
 * a trusted proxy that hands on nonsense must not be a way around the rule, nor a connection of which none is known.
 */
export function addressRule({ allow, deny = [] }: AddressRule): (address: string | undefined) => boolean {
  const isDenied = addressList(deny)
  const isAllowed = allow === undefined ? () => true : addressList(allow)
  return (address) => address !== undefined && isAddress(address) && !isDenied(address) && isAllowed(address)
}
