/** By byte: 1 where RFC 9110 allows it in a token, that is, in a method or a header's name. */
export const TOKEN = table((byte) => /^[\w!#$%&'*+.^`|~-]$/.test(String.fromCharCode(byte)))

/** By byte: 1 where it may stand in a header's value or a reason phrase. */
export const TEXT = table((byte) => byte === 9 || (byte >= 32 && byte !== 127))

/** By byte: the value of a hexadecimal digit, or -1. */
export const HEX = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(digit) ? -1 : digit
})

function table(allows: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allows(byte) ? 1 : 0))
}

export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false
  return text.length > 0
}

/** A character above 255 would be cut to a byte on the wire, and that byte may be a line end: refused too. */
export function isText(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TEXT[text.charCodeAt(i)] !== 1) return false
  return true
}

/** What the target of a request line may hold. */
export function isTarget(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 32 || code === 127 || code > 255) return false
  }
  return text.length > 0
}

/** A length as Content-Length has it, or -1: digits alone, however many (RFC 9110, 8.6), and a number that is exact. */
export function lengthOf(text: string): number {
  if (text.length === 0) return -1
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
    if (length > Number.MAX_SAFE_INTEGER) return -1
  }
  return length
}
