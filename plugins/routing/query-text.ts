/** Reading a raw query string without parsing all of it. */

/** Percent-decoded, `+` as a space (application/x-www-form-urlencoded). Malformed text comes back as it is. */
export function decodeQueryText(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}

/** The name of one `name=value` piece, decoded. */
export function pairName(pair: string): string {
  const equals = pair.indexOf('=')
  return decodeQueryText(equals === -1 ? pair : pair.slice(0, equals))
}

/** The decoded values of all pairs of that name, `''` for a bare name. */
export function queryValues(query: string, name: string): readonly string[] {
  let values: string[] | undefined
  for (let from = 1; from < query.length; ) {
    let end = query.indexOf('&', from)
    if (end === -1) end = query.length
    if (end > from) {
      const pair = query.slice(from, end)
      if (pairName(pair) === name) {
        const equals = pair.indexOf('=')
        values ??= []
        values.push(equals === -1 ? '' : decodeQueryText(pair.slice(equals + 1)))
      }
    }
    from = end + 1
  }
  return values ?? NO_VALUES
}

const NO_VALUES: readonly string[] = Object.freeze([])

/** A raw query (with its `?`, or '') without the pairs of that name, and their decoded values. */
export function withoutPair(query: string, name: string): { rest: string; values: string[] } {
  const values: string[] = []
  const kept: string[] = []
  for (const pair of query.slice(1).split('&')) {
    if (pairName(pair) !== name) kept.push(pair)
    else {
      const equals = pair.indexOf('=')
      values.push(equals === -1 ? '' : decodeQueryText(pair.slice(equals + 1)))
    }
  }
  if (values.length === 0) return { rest: query, values }
  return { rest: kept.length === 0 ? '' : `?${kept.join('&')}`, values }
}
