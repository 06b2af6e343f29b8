/** Edits of headers and of the query, compiled once per route. */
import { CONNECTION_HEADERS } from '../config/connection-headers.ts'
import type { Problem } from '../config/errors.ts'
import { written } from '../config/messages.ts'
import { passesFor } from '../config/own-headers.ts'
import { pairName } from './query-text.ts'

/**
 * Applied in the order remove, set, add. Names in any case. What is removed or set is not said by others in a spelling
 * that CGI and its like would take for it (`x_tenant`).
 */
export interface HeaderEdits {
  /** Replaces what is there. */
  readonly set?: Readonly<Record<string, string>>
  /** Adds a value to what is there. */
  readonly add?: Readonly<Record<string, string>>
  readonly remove?: readonly string[]
}

/** Applied in the order remove, set, add. Names and values as text, not encoded. */
export interface QueryEdits {
  /** Takes the place of the first of that name; further ones go. At the end if there is none. */
  readonly set?: Readonly<Record<string, string>>
  /** At the end, whatever is there. */
  readonly add?: Readonly<Record<string, string>>
  /** All of that name. */
  readonly remove?: readonly string[]
}

export type Headers = Record<string, string | string[] | undefined>

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// RFC 9110, 5.5: visible characters, space, tab and the upper half of latin1. No CR, no LF, no NUL.
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

// They belong to one connection (RFC 9110, 7.6.1), or say how the message is sent: the gateway's own business.
const UNTOUCHABLE: ReadonlySet<string> = new Set([
  ...CONNECTION_HEADERS,
  'content-length',
  'expect',
  'http2-settings',
])

/** What a user of another gateway writes for a variable: here it would be sent to the letter. */
const VARIABLE = /\$\{?[a-z]\w*|%\[|\{\{/i

type Steps = readonly (string | number)[]

/**
 * What is wrong with headers that the gateway is to write: names or values that HTTP does not allow, hop-by-hop and
 * framing headers, one that is named twice.
 * @param at where they stand in the config
 * @param host whether `host` may be among them
 */
export function headerProblems(headers: Readonly<Record<string, string>>, at: Steps, host = true): Problem[] {
  const names = Object.keys(headers)
  return Object.entries(headers).flatMap(([name, value], index) =>
    [nameProblem(names, index, host), valueProblem(value)]
      .filter((message) => message !== undefined)
      .map((message) => ({ path: written(...at, name), message })),
  )
}

/** The same for edits: all that is wrong with them. */
export function headerEditProblems(edits: HeaderEdits | undefined, at: Steps): Problem[] {
  const { set = {}, add = {}, remove = [] } = edits ?? {}
  const removed = remove.flatMap((_, index) => {
    const message = nameProblem(remove, index, false)
    return message === undefined ? [] : [{ path: written(...at, 'remove', index), message }]
  })
  return [...removed, ...headerProblems(set, [...at, 'set']), ...headerProblems(add, [...at, 'add'], false)]
}

function nameProblem(names: readonly string[], index: number, host: boolean): string | undefined {
  const name = names[index] as string
  const lower = name.toLowerCase()
  if (!TOKEN.test(name) || name === '__proto__') return `"${name}" is no header name`
  if (UNTOUCHABLE.has(lower)) return `"${name}" belongs to the connection and is the gateway's; leave it out`
  if (lower === 'host' && !host) return 'a request has exactly one host; use `set` to change it'
  if (names.findIndex((other) => other.toLowerCase() === lower) === index) return undefined
  return `"${name}" is named twice, since headers do not care for case; leave one`
}

function valueProblem(value: string): string | undefined {
  if (!VALUE.test(value)) return 'holds a line break or a character outside latin1; take it out'
  if (VARIABLE.test(value)) {
    return `"${value}" would be sent as it is, since there are no variables here; write the value, or set it in a plugin`
  }
  return undefined
}

/**
 * A function that edits headers in place (their names lower-case), or undefined when there is nothing
 * to do. Throws an Error on what `headerEditProblems` has something against.
 */
export function compileHeaderEdits(edits: HeaderEdits | undefined): ((headers: Headers) => void) | undefined {
  const [problem] = headerEditProblems(edits, ['headers'])
  if (problem !== undefined) throw new Error(`${problem.path}: ${problem.message}`)
  const removed = (edits?.remove ?? []).map((name) => name.toLowerCase())
  const set = lowerCase(edits?.set)
  const added = lowerCase(edits?.add)
  if (removed.length + set.length + added.length === 0) return undefined
  const own = new Set([...removed, ...set.map(([name]) => name)])
  return (headers) => {
    for (const name in headers) if (passesFor(name, own)) delete headers[name]
    for (const name of removed) delete headers[name]
    for (const [name, value] of set) headers[name] = value
    for (const [name, value] of added) {
      const present = Object.hasOwn(headers, name) ? headers[name] : undefined
      // A new list: the one that is there may belong to somebody else.
      headers[name] =
        present === undefined ? value : Array.isArray(present) ? [...present, value] : [present, value]
    }
  }
}

function lowerCase(pairs: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(pairs ?? {}).map(([name, value]) => [name.toLowerCase(), value])
}

/**
 * A function from a raw query (leading `?`, or `''`) to the edited one. Pairs that no edit names stay
 * byte for byte, in their order; without edits the query comes back as it is.
 */
export function compileQueryEdits(edits: QueryEdits | undefined): (query: string) => string {
  const set = new Map(
    Object.entries(edits?.set ?? {}).map(([name, value]) => [name, encodePair(name, value)]),
  )
  const added = Object.entries(edits?.add ?? {}).map(([name, value]) => encodePair(name, value))
  const removed = new Set(edits?.remove ?? [])
  if (set.size + added.length + removed.size === 0) return (query) => query
  return (query) => {
    const done = new Set<string>()
    const pairs: string[] = []
    for (const pair of query.length > 1 ? query.slice(1).split('&') : []) {
      const name = pair === '' ? undefined : pairName(pair)
      const replacement = name === undefined ? undefined : set.get(name)
      if (name === undefined) pairs.push(pair)
      else if (replacement !== undefined) {
        // Removed first and then set: it is at the end, like any other that was not there.
        if (done.has(name) || removed.has(name)) continue
        done.add(name)
        pairs.push(replacement)
      } else if (!removed.has(name)) pairs.push(pair)
    }
    for (const [name, pair] of set) if (!done.has(name)) pairs.push(pair)
    pairs.push(...added)
    return pairs.length === 0 ? '' : `?${pairs.join('&')}`
  }
}

function encodePair(name: string, value: string): string {
  return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
}
