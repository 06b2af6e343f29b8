/** How what is known of a caller is written into a header. */

const SAFE = /^[!-$&-+\--~]*$/
/** All that is not visible ASCII, the escape character itself and what separates the entries of a list. */
const UNSAFE = /[^!-$&-+\--~]/gu

/**
 * Text as visible ASCII without commas: everything else as its UTF-8 in percent escapes, so that
 * `decodeURIComponent` gives back what it was, whatever it was.
 */
export function encodeText(text: string): string {
  if (SAFE.test(text)) return text
  return text.toWellFormed().replace(UNSAFE, encodeURIComponent)
}

/**
 * The value of a header for a value of JSON. Entries of a list are separated by commas, an object is its JSON.
 * @returns undefined where there is nothing to say
 */
export function encodeValue(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) {
    const entries = value.flatMap(
      (entry) => encodeValue(Array.isArray(entry) ? JSON.stringify(entry) : entry) ?? [],
    )
    return entries.length === 0 ? undefined : entries.join(',')
  }
  if (typeof value === 'object') return encodeText(JSON.stringify(value))
  const text = encodeText(String(value))
  return text === '' ? undefined : text
}
