import { TEXT, TOKEN } from './characters.ts'
import { malformed } from './errors.ts'
import type { ResponseHeaders } from './types.ts'

const CR = 13
const LF = 10
const KEPT_NAMES = 512
const LONGEST_KEPT = 64

/** Lower-case names by the names as targets write them; the same string each time makes a cheap key. */
export class FieldNames {
  readonly #names = new Map<string, string>()

  lower(raw: string): string {
    return this.#names.get(raw) ?? this.#add(raw)
  }

  #add(raw: string): string {
    const name = raw.toLowerCase()
    // As a key it would change the object's prototype for whoever copies the headers one by one.
    if (name === '__proto__') throw malformed('HEADER_TOKEN', 'refused header name')
    if (raw.length <= LONGEST_KEPT && this.#names.size < KEPT_NAMES) this.#names.set(raw, name)
    return name
  }
}

/**
 * Reads header lines, each with its line end, up to `end`.
 * @param text `bytes` from `origin` on, as latin1
 */
export function readFields(
  names: FieldNames,
  bytes: Uint8Array,
  text: string,
  origin: number,
  start: number,
  end: number,
): ResponseHeaders {
  const headers: ResponseHeaders = {}
  let at = start
  while (at < end) {
    const begin = at
    while (TOKEN[bytes[at] as number] === 1) at++
    // A folded line and white space before the colon fail here.
    if (at === begin || bytes[at] !== 58) throw malformed('HEADER_TOKEN', 'invalid header name')
    const name = names.lower(text.slice(begin - origin, at - origin))
    at++
    while (bytes[at] === 32 || bytes[at] === 9) at++
    const from = at
    while (TEXT[bytes[at] as number] === 1) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('HEADER_VALUE', 'invalid header value')
    let to = at
    while (to > from && (bytes[to - 1] === 32 || bytes[to - 1] === 9)) to--
    at += 2
    add(headers, name, text.slice(from - origin, to - origin))
  }
  return headers
}

function add(headers: ResponseHeaders, name: string, value: string): void {
  const before = headers[name]
  // `constructor` and its like are found on a prototype.
  if (before === undefined || !Object.hasOwn(headers, name)) headers[name] = value
  else if (typeof before === 'string') headers[name] = [before, value]
  else before.push(value)
}

/** The position behind an empty line, that is, behind CR LF CR LF; or -1. */
export function sectionEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 3
  while (at < end) {
    const byte = bytes[at]
    if (byte === LF) {
      if (bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1
      at += bytes[at - 1] === CR ? 2 : 4
    } else at += byte === CR ? 1 : 4
  }
  return -1
}
