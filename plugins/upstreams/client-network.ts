/**
 * The network that a client is in, as text: its address with IPv4, the first 64 bits with IPv6, of which a client
 * may have all the rest (RFC 6177) and changes it all day (RFC 8981). IPv4 written as IPv6 is IPv4. '' if there is
 * no address (a socket in the file system).
 * @param prefix bits of an IPv6 address that count, 1 to 128
 */
export function clientNetwork(address: string | undefined, prefix = 64): string {
  if (address === undefined || !address.includes(':')) return address ?? ''
  const groups = groupsOf(address)
  const mapped = groups[5] === 0xffff && groups.findIndex(Boolean) === 5
  if (mapped) {
    const [high, low] = groups.slice(6) as [number, number]
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  const kept = groups.slice(0, Math.ceil(prefix / 16))
  const rest = prefix % 16
  if (rest !== 0) kept.push((kept.pop() as number) & (0xffff << (16 - rest)))
  const text = kept.map((group) => group.toString(16)).join(':')
  return kept.length === 8 && rest === 0 ? text : `${text}${kept.length < 8 ? '::' : ''}/${prefix}`
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
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
