/**
 * The network that a client is in, as text: its address with IPv4, the first 64 bits with IPv6, of which a client
 * may have all the rest (RFC 6177) and changes it all day (RFC 8981). IPv4 written as IPv6 is IPv4. '' if there is
 * no address (a socket in the file system).
 */
export function clientNetwork(address: string | undefined): string {
  if (address === undefined || !address.includes(':')) return address ?? ''
  const zone = address.indexOf('%')
  const plain = (zone === -1 ? address : address.slice(0, zone)).toLowerCase()
  const mapped = /^(?:0{0,4}:){2,5}ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = plain.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  // The last 32 bits may be written the old way: they are two groups, but none of the first four.
  const width = after.length + (after.at(-1)?.includes('.') === true ? 1 : 0)
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - width)
  const groups = [...before, ...new Array<string>(zeros).fill('0'), ...after].slice(0, 4)
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`
}
