import { addressList, isAddress } from '../config/addresses.ts'

export interface AddressRule {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
}

/** An address of version 4 as sockets of version 6 show it. */
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+(?:\/\d+)?$)/i

/** `::ffff:10.0.0.0/104` is 10.0.0.0/8: an entry in the long form would never be found otherwise. */
function plainEntry(entry: string): string {
  if (!MAPPED.test(entry)) return entry
  const [address, prefix] = entry.replace(MAPPED, '').split('/') as [string, string | undefined]
  if (prefix === undefined) return address
  return Number(prefix) < 96 ? entry : `${address}/${Number(prefix) - 96}`
}

/**
 * Whether an address may come in: `deny` wins, and an `allow` shuts out all others. What is no address never may:
 * a trusted proxy that hands on nonsense must not be a way around the rule.
 */
export function addressRule({ allow, deny = [] }: AddressRule): (address: string) => boolean {
  const isDenied = addressList(deny.map(plainEntry))
  const isAllowed = allow === undefined ? () => true : addressList(allow.map(plainEntry))
  return (address) => {
    // The interface that a link-local address was seen on is no part of it.
    const zone = address.indexOf('%')
    const plain = (zone < 0 ? address : address.slice(0, zone)).replace(MAPPED, '')
    return isAddress(plain) && !isDenied(plain) && isAllowed(plain)
  }
}
