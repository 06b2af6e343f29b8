/** The values of a cookie (RFC 6265, 4.2.1), without surrounding double quotes, not decoded; at most so many. */
export function cookieValues(header: string | string[] | undefined, name: string, most: number): string[] {
  const text = Array.isArray(header) ? header.join('; ') : header
  const values: string[] = []
  if (text === undefined) return values
  for (let from = 0; from < text.length && values.length < most; ) {
    let end = text.indexOf(';', from)
    if (end === -1) end = text.length
    const equals = text.indexOf('=', from)
    if (equals !== -1 && equals < end && text.slice(from, equals).trim() === name) {
      const value = text.slice(equals + 1, end).trim()
      const quoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"')
      values.push(quoted ? value.slice(1, -1) : value)
    }
    from = end + 1
  }
  return values
}
