/**
 * One canonical path per request, used for routing, authorisation *and* forwarding.
 *
 * A gateway that routes on one spelling of a path and forwards another can be walked around:
 * `/%2e/admin` matches `/*` here and is `/admin` at the upstream. So the path is brought to one
 * spelling before anything looks at it, and what has no single meaning is refused.
 *
 * Done (RFC 3986, 6.2.2): escapes of unreserved characters decoded, the other escapes in upper-case
 * hex, repeated slashes merged, then dot segments resolved, never above the root. Not done: case
 * folding (`/ADMIN` is another path than `/admin`).
 */

/** What a path may hold beyond the safe default. */
export interface CanonicalOptions {
  /** Let `%2F` and `%5C` through, still encoded. They stay part of their segment. */
  readonly encodedSlash: boolean
  /**
   * Let `;` through. Default true. Say false where an upstream strips path parameters (servlet
   * containers read `/admin;a/x` as `/admin/x`) and a rule here protects part of the paths.
   */
  readonly pathParameters?: boolean
}

/** `query` keeps its leading `?` and is `''` when the url has none. `reason` may be shown to a client. */
export type Canonical =
  | { readonly ok: true; readonly path: string; readonly query: string }
  | { readonly ok: false; readonly reason: string }

const SLASH = 0x2f
const DOT = 0x2e
const QUESTION = 0x3f
const PERCENT = 0x25
const BACKSLASH = 0x5c
const HASH = 0x23
const SEMICOLON = 0x3b

// One look-up per character instead of a chain of comparisons: most characters of a path are plain.
const SPECIAL = 1
const UNRESERVED = 2
const CLASS: Readonly<Uint8Array> = classify()

function classify(): Uint8Array {
  const table = new Uint8Array(128)
  for (let code = 0; code < 128; code++) {
    if (code < 0x21 || code > 0x7e) table[code] = SPECIAL
    else if (/[A-Za-z0-9\-._~]/.test(String.fromCharCode(code))) table[code] = UNRESERVED
  }
  for (const code of [SLASH, QUESTION, PERCENT, BACKSLASH, HASH, SEMICOLON]) table[code] = SPECIAL
  return table
}

const refused = (reason: string): Canonical => ({ ok: false, reason })

/**
 * The canonical path and the untouched query of a request target in origin form.
 *
 * `'*'` (the asterisk form) comes back as the path `'*'`; that it belongs to OPTIONS alone is the
 * caller's to check. A trailing slash is kept as it is. The query is kept byte for byte.
 *
 * A url that is canonical already costs one scan and the result object. Never throws.
 */
export function canonicalise(url: string, options: CanonicalOptions): Canonical {
  if (url.charCodeAt(0) !== SLASH) {
    if (url === '*') return { ok: true, path: '*', query: '' }
    return refused('the request target has no path')
  }
  const length = url.length
  let clean = true
  let end = length
  for (let i = 0; i < length; i++) {
    const code = url.charCodeAt(i)
    if (code < 128 && CLASS[code] !== SPECIAL) continue
    if (code === SLASH) {
      if (clean && needsWork(url, i + 1)) clean = false
    } else if (code === QUESTION) {
      end = i
      break
    } else if (code === PERCENT) {
      const value = escapeAt(url, i)
      if (value < 0) return refused('a percent sign in the path is not followed by two hex digits')
      if (value === 0) return refused('the path holds an encoded NUL')
      if (value === SLASH || value === BACKSLASH) {
        if (!options.encodedSlash) return refused('the path holds an encoded slash or backslash')
        clean = false // dot segments beside it must be looked for
      } else if (clean && (isUnreserved(value) || hasLowerHex(url, i))) clean = false
      i += 2
    } else if (code === SEMICOLON) {
      if (options.pathParameters === false) return refused('the path holds a semicolon')
    } else if (code === BACKSLASH) return refused('the path holds a backslash')
    else if (code === HASH) return refused('the request target holds a fragment')
    else return refused('the path holds a control character, a space or a raw byte outside ASCII')
  }
  for (let i = end; i < length; i++) {
    const code = url.charCodeAt(i)
    if (code === HASH) return refused('the request target holds a fragment')
    if (code < 0x21 || code > 0x7e) {
      return refused('the query holds a control character, a space or a raw byte outside ASCII')
    }
  }
  if (!clean) return rebuild(url, end)
  if (end === length) return { ok: true, path: url, query: '' }
  return { ok: true, path: url.slice(0, end), query: url.slice(end) }
}

/** Whether the segment that starts at `at` is empty (a repeated slash) or may be a dot segment. */
function needsWork(url: string, at: number): boolean {
  const first = url.charCodeAt(at)
  if (first === SLASH) return true
  if (first !== DOT) return false
  const second = url.charCodeAt(at + 1)
  return endsSegment(second) || (second === DOT && endsSegment(url.charCodeAt(at + 2)))
}

// charCodeAt is NaN past the end. The semicolon: `..;` is a dot segment to some upstreams.
function endsSegment(code: number): boolean {
  return code === SLASH || code === QUESTION || code === SEMICOLON || Number.isNaN(code)
}

function rebuild(url: string, end: number): Canonical {
  const kept: string[] = []
  let open = true // whether the path ends in a slash
  for (let from = 1; from <= end; ) {
    let to = url.indexOf('/', from)
    if (to === -1 || to > end) to = end
    const segment = spell(url, from, to)
    from = to + 1
    open = segment === '' || segment === '.' || segment === '..'
    if (segment === '..') kept.pop()
    else if (!open) {
      if (hidesDots(segment)) return refused('the path holds a disguised dot segment')
      kept.push(segment)
    }
  }
  const path = `/${kept.join('/')}${open && kept.length > 0 ? '/' : ''}`
  return { ok: true, path, query: url.slice(end) }
}

/** One segment with its escapes in canonical spelling. The scan has checked that they are well formed. */
function spell(url: string, from: number, to: number): string {
  let text = ''
  let copied = from
  for (let i = from; i < to; i++) {
    if (url.charCodeAt(i) !== PERCENT) continue
    const value = escapeAt(url, i)
    const canonical = isUnreserved(value) ? String.fromCharCode(value) : url.slice(i, i + 3).toUpperCase()
    text += url.slice(copied, i) + canonical
    i += 2
    copied = i + 1
  }
  return text + url.slice(copied, to)
}

/**
 * `..%2Fadmin`, `a%5C..` and `..;x`: no dot segments to us, but to an upstream that decodes
 * slashes or strips path parameters before it resolves dots.
 */
function hidesDots(segment: string): boolean {
  return /(?:^|%2F|%5C)\.{1,2}(?:$|;|%2F|%5C)/.test(segment)
}

function escapeAt(url: string, at: number): number {
  const high = hexDigit(url.charCodeAt(at + 1))
  const low = hexDigit(url.charCodeAt(at + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  if (code >= 0x41 && code <= 0x46) return code - 0x37
  if (code >= 0x61 && code <= 0x66) return code - 0x57
  return -1
}

function hasLowerHex(url: string, at: number): boolean {
  return url.charCodeAt(at + 1) >= 0x61 || url.charCodeAt(at + 2) >= 0x61
}

function isUnreserved(code: number): boolean {
  return code < 128 && CLASS[code] === UNRESERVED
}
