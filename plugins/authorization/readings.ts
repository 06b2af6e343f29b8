/**
 * What servers may take a path for. This gateway decides by the canonical path; an upstream may decode it twice, drop
 * `;` and what follows, or take a backslash for a slash, and so see another one. That it may not tell capitals from
 * small letters besides is the routing's to know (`app.routeReadAs`).
 */

/** A path is read in no more ways than this, and they have no more characters together: what needs more is not honest. */
const MOST = 64
const MOST_CHARACTERS = 65_536

/** A path without any of these is read in one way by everybody. Many take `/a/` for `/a`. */
const AMBIGUOUS = /[%;]|[. ](?:\/|$)|.\/$|:\$/

/** UTF-8 that says with several bytes what takes one: `%C0%AF` for a slash (RFC 3629, 3). In latin1. */
const OVERLONG = /[\xc0\xc1][\x80-\xbf]|\xe0[\x80\x81][\x80-\xbf]|\xf0\x80[\x80\x81][\x80-\xbf]/g

function overlong(bytes: string): string {
  const last = bytes.charCodeAt(bytes.length - 1) & 0x3f
  const before = bytes.charCodeAt(bytes.length - 2)
  return String.fromCharCode(((bytes.length === 2 ? before & 0x1f : before & 0x3f) << 6) | last)
}

const utf8 = new TextDecoder('utf-8')

/** Percent escapes and those of IIS (`%u0061`), once; with over-long UTF-8 in it, by those who take it and who do not. */
function decoded(path: string): string[] {
  const bytes = path.replace(/%(?:u00)?([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  // Nothing to put together; or no bytes, since it has been decoded before.
  if (!/[\x80-\xff]/.test(bytes) || /[^\0-\xff]/.test(bytes)) return [bytes]
  const plain = bytes.replace(OVERLONG, overlong)
  return [bytes, plain].map((text) => utf8.decode(Buffer.from(text, 'latin1')))
}

function withoutParameters(path: string): string {
  return path.includes(';') ? path.replace(/;[^/\\]*/g, '') : path
}

/** For those to whom a backslash is a letter. */
function withoutLongParameters(path: string): string {
  return path.includes(';') ? path.replace(/;[^/]*/g, '') : path
}

/** NTFS takes `/admin::$INDEX_ALLOCATION/x` for `/admin/x`, and `/a.txt::$DATA` for `/a.txt`. */
function withoutStreams(path: string): string {
  return path.includes(':$') ? path.replace(/:[^/\\:]*:\$[^/\\]*/g, '') : path
}

const UNRESOLVED = /\\|\/\/|\/[. ]|[. ](?:\/|$)|.\/$/

/** Windows knows no dots and blanks at the end of a name. By hand, since `/[. ]+$/` is quadratic. */
function trimmed(segment: string): string {
  let end = segment.length
  while (end > 0 && (segment[end - 1] === '.' || segment[end - 1] === ' ')) end--
  return segment.slice(0, end).trimStart()
}

/** Slashes and dot segments as Windows and browsers see them. */
function resolved(path: string): string {
  if (!UNRESOLVED.test(path)) return path
  const kept: string[] = []
  for (const segment of path.replaceAll('\\', '/').split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(trimmed(segment))
  }
  return `/${kept.join('/')}`
}

/** Wide letters and slashes as what they look like. */
function normal(path: string): string {
  return path.normalize('NFKC')
}

/** For those who let dot segments stand. */
function unresolved(path: string): string {
  return path.includes('/..') ? path.replaceAll(/\/\.\.(?=\/|$)/g, '/-') : path
}

function cut(path: string): string {
  const end = path.search(/[\0?#]/)
  return end < 0 ? path : path.slice(0, end)
}

/** What nobody sees is left out, and what could not be decoded. */
function withoutControls(path: string): string {
  return path.replace(/[\p{Cc}\p{Cf}\ufffd]/gu, '')
}

/**
 * As a request would say what stands in a decoded path. What no request may have here is a letter to those who let it
 * stand: for the others there are readings without.
 */
function encoded(path: string): string {
  if (/^(?:\/[!$&'()*+,\-:=@~\w][!$&'()*+,\-.:;=@~\w]*)+$/.test(path)) return path
  return path
    .replace(/[\0\\]/g, '-')
    .replace(/(^|\/)\.{1,2}(?=;)/g, '$1-')
    .replace(/[^!$&'()*+,\-./:;=@~\w]+/g, (text) => encodeURIComponent(text.toWellFormed()))
}

const WAYS = [
  withoutParameters,
  withoutLongParameters,
  withoutStreams,
  resolved,
  unresolved,
  cut,
  withoutControls,
  normal,
]

/**
 * The other paths that a canonical one may be read as, as a request would say them.
 * @returns undefined if there are too many of them
 */
export function readingsOf(path: string): readonly string[] | undefined {
  if (!AMBIGUOUS.test(path)) return []
  // A percent sign is the start of an escape in what was sent, and a character in what has been decoded.
  const sent = new Set([path])
  const plain = new Set<string>()
  let characters = 0
  for (const [readings, next] of [
    [sent, plain],
    [plain, plain],
  ] as const) {
    for (const reading of readings) {
      characters += reading.length
      if (sent.size + plain.size > MOST || characters > MOST_CHARACTERS) return undefined
      for (const way of WAYS) readings.add(way(reading))
      if (reading.includes('%')) for (const text of decoded(reading)) next.add(text)
    }
  }
  const found = new Set([...sent, ...[...plain].map(encoded)])
  found.delete(path)
  return [...found].filter((reading) => reading.startsWith('/'))
}
