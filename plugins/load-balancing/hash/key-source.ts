import { clientNetwork } from '../../upstreams/client-network.ts'
import { cookieValues } from '../../upstreams/cookies.ts'
import type { KeyedRequest } from '../../upstreams/exchange.ts'
import { isToken } from './http-token.ts'

/** What a request is told apart by. A parameter is one of the route's path. */
export type KeySource =
  | { readonly header: string }
  | { readonly cookie: string }
  | { readonly param: string }
  | { readonly query: string }
  | 'client-address'
  | 'identity'

/** One source, or several: the first that a request has wins. */
export type KeySources = KeySource | readonly KeySource[]

const NAMED = ['header', 'cookie', 'param', 'query'] as const
const REMEDY =
  "write { header: 'x-user' }, { cookie: 'sid' }, { param: 'id' }, { query: 'q' }, \"client-address\", \"identity\" or a list of them"

export function sourcesOf(on: KeySources): readonly KeySource[] {
  return Array.isArray(on) ? on : [on as KeySource]
}

/** Why this says of no request what its key is, with the remedy; undefined if it does. */
export function keySourcesProblem(on: unknown): string | undefined {
  const sources = Array.isArray(on) ? on : [on]
  if (sources.length === 0) return `is an empty list; ${REMEDY}`
  for (const source of sources) {
    if (source === 'client-address' || source === 'identity') continue
    if (source === null || typeof source !== 'object') {
      return `${JSON.stringify(source)} is no source of keys; ${REMEDY}`
    }
    const kinds = Object.keys(source)
    const [kind = ''] = kinds
    if (kinds.length !== 1 || !(NAMED as readonly string[]).includes(kind)) {
      return `${JSON.stringify(source)} is no source of keys; ${REMEDY}`
    }
    const name = (source as Record<string, unknown>)[kind]
    if (typeof name !== 'string' || name === '') return `the ${kind} has no name; ${REMEDY}`
    if ((kind === 'header' || kind === 'cookie') && !isToken(name)) {
      return `"${name}" cannot be the name of a ${kind}; use letters, digits, "-" and "_"`
    }
  }
  return undefined
}

/** The key of a request: '' if it has none of what is asked for. */
export function keyOf(on: KeySources): (request: KeyedRequest) => string {
  const readers = sourcesOf(on).map(reader)
  const [only] = readers
  if (only !== undefined && readers.length === 1) return only
  return (request) => {
    for (const read of readers) {
      const key = read(request)
      if (key !== '') return key
    }
    return ''
  }
}

function reader(source: KeySource): (request: KeyedRequest) => string {
  if (source === 'client-address') return ({ ip }) => clientNetwork(ip)
  if (source === 'identity') return ({ identity }) => identity?.id ?? ''
  if ('header' in source) {
    const name = source.header.toLowerCase()
    return ({ headers }) => own(headers, name)
  }
  if ('cookie' in source) {
    return ({ headers }) => cookieValues(headers.cookie, source.cookie, 1)[0] ?? ''
  }
  if ('param' in source) return ({ params }) => own(params, source.param)
  return ({ query }) => own(query, source.query)
}

/** Not what a plain object inherits; of several values the first. */
function own(from: unknown, name: string): string {
  if (from === null || typeof from !== 'object' || !Object.hasOwn(from, name)) return ''
  const value = (from as Record<string, unknown>)[name]
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' ? first : ''
}
