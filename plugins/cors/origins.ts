/** Which origins may read answers (Fetch standard, 3.2). */

export type OriginPattern = string | RegExp

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#*\s]+$/
const LABELS = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/

/** The text of a regular expression in a config, if the pattern is one: a RegExp, or `~` and its text. */
export function regexOf(pattern: OriginPattern): { source: string; flags: string } | undefined {
  if (pattern instanceof RegExp) return { source: pattern.source, flags: pattern.flags }
  return pattern.startsWith('~') ? { source: pattern.slice(1), flags: '' } : undefined
}

/** Why it is no origin and no pattern of origins. */
export function refuseOrigin(value: unknown): string | undefined {
  if (value instanceof RegExp) return undefined
  if (typeof value !== 'string' || value === '') return 'is no origin'
  if (value === '*' || value === 'null' || value.startsWith('~')) return undefined
  const origin = value.replace('://*.', '://a.')
  // Of http and https a browser writes names in lower case and no port that is the default; others it leaves alone.
  const asSent = !/^https?:/.test(origin) || URL.parse(origin)?.origin === origin
  return ORIGIN.test(origin) && asSent ? undefined : `"${value}" is not what a browser sends as an origin`
}

/** @returns whether an origin is among them, to the letter, as Fetch compares them */
export function originMatcher(patterns: readonly OriginPattern[]): (origin: string) => boolean {
  const exact = new Set<string>()
  const suffixes: { readonly scheme: string; readonly end: string }[] = []
  const regexes: RegExp[] = []
  for (const pattern of patterns) {
    const regex = regexOf(pattern)
    // Anew and whole: `g` and `y` would remember the last request, and a part of an origin is another one's.
    if (regex !== undefined)
      regexes.push(new RegExp(`^(?:${regex.source})$`, regex.flags.replace(/[gy]/g, '')))
    else if ((pattern as string).includes('://*.')) {
      const [scheme = '', host = ''] = (pattern as string).split('://*')
      suffixes.push({ scheme: `${scheme}://`, end: host })
    } else exact.add(pattern as string)
  }
  return (origin) =>
    exact.has(origin) ||
    suffixes.some(
      ({ scheme, end }) =>
        origin.startsWith(scheme) &&
        origin.endsWith(end) &&
        LABELS.test(origin.slice(scheme.length, -end.length)),
    ) ||
    regexes.some((regex) => regex.test(origin))
}
