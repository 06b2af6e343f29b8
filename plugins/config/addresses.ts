import { BlockList, isIP, isIPv6 } from 'node:net'

/** Whether it is an address of version 4 or 6 at all. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0
}

const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i

/** An address of version 4 that came over a socket of version 6 as what it is; any other text as it is. */
export function plainAddress(address: string): string {
  return address.startsWith(':') ? address.replace(MAPPED, '') : address
}

/**
 * Addresses and ranges as the config has them.
 * @returns whether an address is among them; one of version 4 that is written as version 6 is found as what it is
 */
export function addressList(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of entries) {
    const [address, prefix] = entry.split('/') as [string, string | undefined]
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return (address) => entries.length > 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
