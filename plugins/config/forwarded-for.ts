import { isAddress } from './addresses.ts'

/** As some proxies write it (Azure Application Gateway): with a port, or as RFC 7239 has it, in brackets and quotes. */
const DECORATED = /^"?(?:(\d+\.\d+\.\d+\.\d+)|\[([^\]]+)\])(?::\d*)?"?$/

/** RFC 7239's word for a client that is not known. No rule for addresses lets it in, and limits count it as one. */
const UNKNOWN = 'unknown'

function addressOf(entry: string): string {
  if (isAddress(entry)) return entry
  const [, v4, v6] = DECORATED.exec(entry) ?? []
  const address = v4 ?? v6 ?? ''
  return isAddress(address) ? address : UNKNOWN
}

/** `X-Forwarded-For` with nothing but addresses in it, and `unknown` for what is none. */
export function plainForwardedFor(header: string): string {
  if (isAddress(header)) return header
  return header
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(addressOf)
    .join(', ')
}
