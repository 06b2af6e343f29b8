import { groupsOf, mappedIn } from '../config/addresses.ts'

/**
 * The network that a client is in, as text: its address with IPv4, the first 64 bits with IPv6, of which a client
 * may have all the rest (RFC 6177) and changes it all day (RFC 8981). IPv4 written as IPv6 is IPv4. '' if there is
 * no address (a socket in the file system).
 * @param prefix bits of an IPv6 address that count, 1 to 128
 */
export function clientNetwork(address: string | undefined, prefix = 64): string {
  if (address === undefined || !address.includes(':')) return address ?? ''
  const groups = groupsOf(address)
  const mapped = mappedIn(groups)
  if (mapped !== undefined) return mapped
  const kept = groups.slice(0, Math.ceil(prefix / 16))
  const rest = prefix % 16
  if (rest !== 0) kept.push((kept.pop() as number) & (0xffff << (16 - rest)))
  const text = kept.map((group) => group.toString(16)).join(':')
  return kept.length === 8 && rest === 0 ? text : `${text}${kept.length < 8 ? '::' : ''}/${prefix}`
}
