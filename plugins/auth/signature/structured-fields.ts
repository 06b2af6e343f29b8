/** Structured fields (RFC 9651): what Signature-Input, Signature and Content-Digest are written in. Strict, as it demands. */

/** A value without parameters. Tokens and strings are told apart, since they are written differently. */
export type BareItem =
  | { readonly type: 'integer' | 'decimal' | 'date'; readonly value: number }
  | { readonly type: 'string' | 'token' | 'display'; readonly value: string }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'bytes'; readonly value: Buffer }

export type Parameters = ReadonlyMap<string, BareItem>
export interface Item {
  readonly item: BareItem
  readonly parameters: Parameters
}
export interface InnerList {
  readonly items: readonly Item[]
  readonly parameters: Parameters
}
export type Member = Item | InnerList
export type Dictionary = ReadonlyMap<string, Member>

export function isInnerList(member: Member | undefined): member is InnerList {
  return member !== undefined && 'items' in member
}

/** Thrown within this file only; `parseDictionary` returns undefined instead. */
class SyntaxProblem extends Error {}

function fail(): never {
  throw new SyntaxProblem()
}

const KEY = /[a-z*][a-z0-9_\-.*]*/y
const NUMBER = /-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])/y
const STRING = /"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*/y
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y
const BOOLEAN = /\?[01]/y
const DATE = /@-?\d{1,15}(?![\d.])/y
const DISPLAY = /%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*"/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  peek(): string | undefined {
    return this.#text[this.#at]
  }

  /** Takes this one character if it comes next. */
  takes(char: string): boolean {
    if (this.peek() !== char) return false
    this.#at++
    return true
  }

  skip(chars: string): void {
    while (this.#at < this.#text.length && chars.includes(this.#text[this.#at] as string)) this.#at++
  }

  match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) fail()
    this.#at = pattern.lastIndex
    return found[0]
  }
}

function bareItem(reader: Reader): BareItem {
  const char = reader.peek()
  if (char === undefined) fail()
  if (char === '"') {
    const value = reader
      .match(STRING)
      .slice(1, -1)
      .replaceAll(/\\(["\\])/g, '$1')
    return { type: 'string', value }
  }
  if (char === ':') {
    const text = reader.match(BYTES).slice(1, -1)
    const value = Buffer.from(text, 'base64')
    // One spelling for each sequence of bytes: with its padding, and no bits left over.
    return value.toString('base64') === text ? { type: 'bytes', value } : fail()
  }
  if (char === '?') return { type: 'boolean', value: reader.match(BOOLEAN) === '?1' }
  if (char === '@') return { type: 'date', value: Number(reader.match(DATE).slice(1)) }
  if (char === '%') {
    try {
      return { type: 'display', value: decodeURIComponent(reader.match(DISPLAY).slice(2, -1)) }
    } catch {
      fail()
    }
  }
  if (char === '-' || (char >= '0' && char <= '9')) {
    const text = reader.match(NUMBER)
    return { type: text.includes('.') ? 'decimal' : 'integer', value: Number(text) }
  }
  return { type: 'token', value: reader.match(TOKEN) }
}

function parametersOf(reader: Reader): Parameters {
  const parameters = new Map<string, BareItem>()
  while (reader.takes(';')) {
    reader.skip(' ')
    const key = reader.match(KEY)
    const value: BareItem = reader.takes('=') ? bareItem(reader) : { type: 'boolean', value: true }
    // Of several of one name the last counts, in its own place.
    parameters.delete(key)
    parameters.set(key, value)
  }
  return parameters
}

function innerList(reader: Reader): InnerList {
  const items: Item[] = []
  for (;;) {
    reader.skip(' ')
    if (reader.takes(')')) return { items, parameters: parametersOf(reader) }
    items.push({ item: bareItem(reader), parameters: parametersOf(reader) })
    const next = reader.peek()
    if (next !== ' ' && next !== ')') fail()
  }
}

function dictionary(reader: Reader): Dictionary {
  const members = new Map<string, Member>()
  reader.skip(' ')
  while (!reader.done) {
    const key = reader.match(KEY)
    let member: Member
    if (reader.takes('=')) {
      member = reader.takes('(')
        ? innerList(reader)
        : { item: bareItem(reader), parameters: parametersOf(reader) }
    } else member = { item: { type: 'boolean', value: true }, parameters: parametersOf(reader) }
    members.delete(key)
    members.set(key, member)
    reader.skip(' \t')
    if (reader.done) break
    if (!reader.takes(',')) fail()
    reader.skip(' \t')
    // A comma that nothing follows.
    if (reader.done) fail()
  }
  return members
}

/** Undefined if it is no dictionary. Several lines of one header are joined with commas before. */
export function parseDictionary(text: string): Dictionary | undefined {
  // By hand: an expression would look at each run of spaces again and again.
  let end = text.length
  while (text[end - 1] === ' ') end--
  try {
    return dictionary(new Reader(text.slice(0, end)))
  } catch (error) {
    if (error instanceof SyntaxProblem) return undefined
    throw error
  }
}
