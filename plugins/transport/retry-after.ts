/**
 * What a `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date.
 * @param wallMs milliseconds since 1970, for a date
 * @returns milliseconds from now, at least 0; undefined where there is none or none that can be read
 */
export function retryAfter(value: string | string[] | undefined, wallMs: () => number): number | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000
  // Names of days and months, and so no number that `Date.parse` would take for a year.
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallMs())
}
