import { conflated } from '../../config/own-headers.ts'
import { serializeBareItem, serializeDictionary, serializeItem, serializeMember } from './serialize.ts'
import { type Dictionary, type Item, parseDictionary } from './structured-fields.ts'

/** A request as its signer has seen it. */
export interface SignedRequest {
  readonly method: string
  /** `https` */
  readonly scheme: string
  /** Host and port as they were sent. */
  readonly authority: string
  /** The request target as it was sent: `/a/b?c=d`. */
  readonly target: string
  /** Name, value, name, value, as they came. */
  readonly rawHeaders: readonly string[]
}

/** What a covered component is called, and what it says; or why it cannot be covered here. */
export type Component = { readonly id: string; readonly value: string } | { readonly why: string }

/** Fields that are dictionaries, which `sf` may be said of. Of others nobody here knows how to write them anew. */
const DICTIONARIES: ReadonlySet<string> = new Set([
  'content-digest',
  'priority',
  'repr-digest',
  'signature',
  'signature-input',
  'want-content-digest',
  'want-repr-digest',
])

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' }

/** Without the blanks around it. By hand: an expression for the end would look at each run of blanks again and again. */
function trimmed(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && (text[from] === ' ' || text[from] === '\t')) from++
  while (to > from && (text[to - 1] === ' ' || text[to - 1] === '\t')) to--
  return text.slice(from, to)
}

/** The lines of a header field, each without the blanks around it (RFC 9421, 2.1). Node takes no folded ones. */
export function fieldLines(rawHeaders: readonly string[], name: string): string[] {
  const lines: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const sent = rawHeaders[i] as string
    if (sent.length === name.length && sent.toLowerCase() === name) {
      lines.push(trimmed(rawHeaders[i + 1] as string))
    }
  }
  return lines
}

/** Whether a header was sent that CGI, WSGI, PHP and their like take for this one. */
function inOtherSpelling(rawHeaders: readonly string[], name: string): boolean {
  const conflatedName = conflated(name)
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const sent = rawHeaders[i] as string
    if (sent.length === name.length && sent.toLowerCase() !== name && conflated(sent) === conflatedName)
      return true
  }
  return false
}

/** What has been read of a request for one component, and need not be read again for the next. */
export class ReadOnce {
  readonly #request: SignedRequest
  readonly #dictionaries = new Map<string, Dictionary | undefined>()
  #pairs: ReadonlyMap<string, readonly string[]> | undefined

  constructor(request: SignedRequest) {
    this.#request = request
  }

  dictionary(name: string, value: string): Dictionary | undefined {
    if (!this.#dictionaries.has(name)) this.#dictionaries.set(name, parseDictionary(value))
    return this.#dictionaries.get(name)
  }

  /** Values of a query parameter, both as `formText` writes them. */
  queryValues(name: string): readonly string[] {
    if (this.#pairs === undefined) {
      const pairs = new Map<string, string[]>()
      for (const [key, value] of new URLSearchParams(queryOf(this.#request.target))) {
        const text = formText(key)
        const values = pairs.get(text)
        if (values === undefined) pairs.set(text, [formText(value)])
        else values.push(formText(value))
      }
      this.#pairs = pairs
    }
    return this.#pairs.get(name) ?? []
  }
}

function normalAuthority({ authority, scheme }: SignedRequest): string {
  const lower = authority.toLowerCase()
  const port = DEFAULT_PORTS[scheme]
  return port !== undefined && lower.endsWith(port) ? lower.slice(0, -port.length) : lower
}

function pathOf(target: string): string {
  const end = target.indexOf('?')
  return (end === -1 ? target : target.slice(0, end)) || '/'
}

function queryOf(target: string): string {
  const start = target.indexOf('?')
  return start === -1 ? '?' : target.slice(start)
}

/** Percent-encoded as forms are, but for the space (RFC 9421, 2.2.8): all but letters, digits and `*-._`. */
function formText(text: string): string {
  const hex = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
  // URLSearchParams has made whole text of what was sent: there are no halves of pairs.
  return encodeURIComponent(text).replaceAll(/[!'()~]/g, hex)
}

function derived(name: string, request: SignedRequest): string | undefined {
  const { method, scheme, target } = request
  switch (name) {
    case '@method':
      return method
    case '@scheme':
      return scheme
    case '@authority':
      return normalAuthority(request)
    case '@request-target':
      return target
    case '@path':
      return pathOf(target)
    case '@query':
      return queryOf(target)
    case '@target-uri':
      return `${scheme}://${normalAuthority(request)}${target}`
    default:
      return undefined
  }
}

function field(
  name: string,
  item: Item,
  rawHeaders: readonly string[],
  once: ReadOnce,
): string | { why: string } {
  const lines = fieldLines(rawHeaders, name)
  if (lines.length === 0) return { why: `covers the header ${name}, which was not sent` }
  if (inOtherSpelling(rawHeaders, name))
    return { why: `covers the header ${name}, which was sent in another spelling too` }
  const { parameters } = item
  if (parameters.has('bs')) {
    if (parameters.has('sf') || parameters.has('key')) return { why: 'says bs together with sf or key' }
    return lines.map((line) => `:${Buffer.from(line, 'latin1').toString('base64')}:`).join(', ')
  }
  const value = lines.join(', ')
  const key = parameters.get('key')
  if (key === undefined && !parameters.has('sf')) return value
  const dictionary = once.dictionary(name, value)
  if (key !== undefined) {
    const member = key.type === 'string' ? dictionary?.get(key.value) : undefined
    return member === undefined
      ? { why: `covers a member of ${name} that is not there` }
      : serializeMember(member)
  }
  if (!DICTIONARIES.has(name)) return { why: `says sf of ${name}, whose structure is not known here` }
  return dictionary === undefined
    ? { why: `says sf of ${name}, which has no such structure` }
    : serializeDictionary(dictionary)
}

/** Parameters that may stand at each kind of component. Others are refused: nobody knows what was signed with them. */
const FIELD_PARAMETERS: ReadonlySet<string> = new Set(['sf', 'key', 'bs'])

/** The value of one covered component. */
export function componentOf(item: Item, request: SignedRequest, once: ReadOnce): Component {
  if (item.item.type !== 'string') return { why: 'covers something that is not named by a string' }
  const name = item.item.value
  const isDerived = name.startsWith('@')
  for (const [parameter, value] of item.parameters) {
    const known = isDerived
      ? name === '@query-param' && parameter === 'name'
      : FIELD_PARAMETERS.has(parameter)
    // `req` is for responses, `tr` for trailers.
    if (!known) return { why: `covers ${name} with the parameter ${parameter}, which is not taken` }
    if (parameter !== 'key' && parameter !== 'name' && !(value.type === 'boolean' && value.value)) {
      return { why: `has the parameter ${parameter} with a value` }
    }
  }
  const id = serializeItem(item)
  if (!isDerived) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
      return { why: 'covers a header whose name is not in lower case' }
    const value = field(name, item, request.rawHeaders, once)
    return typeof value === 'string' ? { id, value } : value
  }
  if (name === '@query-param') {
    const parameter = item.parameters.get('name')
    if (parameter?.type !== 'string') return { why: 'covers @query-param without a name' }
    const [value, ...others] = once.queryValues(parameter.value)
    // Of several of one name nobody could say which was meant (2.2.8).
    if (value === undefined || others.length > 0)
      return { why: `covers the query parameter ${serializeBareItem(parameter)}, which is not there once` }
    return { id, value }
  }
  const value = derived(name, request)
  return value === undefined ? { why: `covers ${name}, which requests do not have` } : { id, value }
}
