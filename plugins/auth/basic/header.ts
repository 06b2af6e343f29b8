/** A name and a password as RFC 7617 sends them. */
export interface UserPass {
  readonly name: string
  readonly password: string
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const LONGEST = 1024

/**
 * Reads what follows `Basic` in the header.
 * @param bytesOf the bytes of a base64 text
 * @returns undefined if it cannot be read
 */
export function readBasic(
  credentials: string,
  bytesOf: (base64: string) => Uint8Array,
): UserPass | undefined {
  const encoded = credentials.trim()
  if (encoded.length > LONGEST || !BASE64.test(encoded)) return undefined
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(encoded))
  } catch {
    return undefined
  }
  // The name ends at the first colon: it cannot have one, the password can.
  const colon = text.indexOf(':')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused (RFC 7617, 2)
  if (colon === -1 || /[\u0000-\u001f\u007f]/.test(text)) return undefined
  return { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
