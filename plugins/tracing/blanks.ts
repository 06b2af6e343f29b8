function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/**
 * Without the blanks around it, which are spaces and tabs (RFC 9110, 5.6.3): `trim` takes others too, and a pattern
 * takes long to find the last of many.
 */
export function withoutBlanks(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}
