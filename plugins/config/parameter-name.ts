/**
 * The name of a query parameter as PHP, ASP.NET, qs and their like may see it: without blanks around it and what is
 * behind a NUL, in small letters, with `_` for dots and blanks, and `a[]` or `a[0]` for `a`.
 * @param name decoded
 */
export function parameterName(name: string): string {
  const end = name.indexOf('\0')
  return (end < 0 ? name : name.slice(0, end))
    .trim()
    .toLowerCase()
    .replace(/\[\d*\]?$/, '')
    .replace(/[. ]/g, '_')
}
