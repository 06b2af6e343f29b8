import { BlockList, isIP, isIPv6 } from 'node:net'

/** Whether it is an address of version 4 or 6 at all. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0
}

/** The eight numbers of an address of version 6, without the interface that it was seen on. */
export function groupsOf(address: string): number[] {
  const zone = address.indexOf('%')
  const [head = '', tail] = (zone === -1 ? address : address.slice(0, zone)).split('::')
  const before = numbers(head)
  if (tail === undefined) return before
  const after = numbers(tail)
  return [...before, ...new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after]
}

function numbers(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16)
    // The last 32 bits may be written the old way.
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

/** The address of version 4 that is mapped into one of version 6 (RFC 4291, 2.5.5.2), if it is. */
export function mappedIn(groups: readonly number[]): string | undefined {
  if (groups[5] !== 0xffff || groups.findIndex(Boolean) !== 5) return undefined
  const [high, low] = groups.slice(6) as [number, number]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** An address of version 4 that is written as version 6, as sockets of both show it, as what it is; any other text as it is. */
export function plainAddress<A extends string | undefined>(address: A): A {
  return address?.includes(':') ? ((mappedIn(groupsOf(address)) ?? address) as A) : address
}

/**
 * Addresses and ranges as the config has them.
 * @returns whether an address is among them; one of version 4 that is written as version 6, here or there, is found as
 *   what it is. What is no address is among none
 */
export function addressList(entries: readonly string[]): (address: string | undefined) => boolean {
  if (entries.length === 0) return () => false
  const list = new BlockList()
  for (const entry of entries) {
    const [address, prefix] = entry.split('/') as [string, string | undefined]
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return (address) => address !== undefined && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
