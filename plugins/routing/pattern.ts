/** Route paths, parsed: exact, by segment, or a regex. */
import { canonicalise } from './canonical.ts'

/**
 * `params` lists the names that a match provides, in order of appearance. Two patterns with the same
 * `shape` match the same paths: parameter names play no part in it.
 */
export type Pattern =
  | {
      readonly kind: 'exact'
      readonly path: string
      readonly params: readonly string[]
      readonly shape: string
    }
  | {
      readonly kind: 'segments'
      /** A text, or null for a parameter. The wildcard is not among them. */
      readonly segments: readonly (string | null)[]
      readonly wildcard: boolean
      readonly params: readonly string[]
      readonly shape: string
    }
  | {
      readonly kind: 'regex'
      /** Anchored at both ends, without state (flags `g` and `y` are dropped). */
      readonly regex: RegExp
      readonly params: readonly string[]
      readonly shape: string
    }

const PARAMETER = /^:[A-Za-z_][A-Za-z0-9_]*$/

/** A parameter as OpenAPI, Flask and Next.js have it: `{id}`, `<id>`, `[id]`. */
const FOREIGN = /^[{<[](?:\w+:)?([A-Za-z_]\w*)[}>\]]$/

/** Parses a route's path. Throws an Error that names the fault and the remedy. */
export function parsePattern(path: string | RegExp): Pattern {
  return typeof path === 'string' ? parseText(path) : parseRegex(path)
}

function parseText(path: string): Pattern {
  if (!path.startsWith('/'))
    throw new Error(`the path "${path}" must start with "/"; did you mean "/${path}"?`)
  if (path.includes('?')) {
    throw new Error(`the path "${path}" holds a query; match it with the route's "query" instead`)
  }
  requireCanonical(path)
  const texts = path.slice(1).split('/')
  const wildcard = texts.at(-1) === '*'
  if (wildcard) texts.pop()
  const params: string[] = []
  const segments = texts.map((text) => {
    if (text.includes('*')) {
      throw new Error(
        `the path "${path}" has a "*" that is not its whole last segment; use a RegExp for that`,
      )
    }
    const [, other] = FOREIGN.exec(text) ?? []
    if (other !== undefined) {
      throw new Error(`the path "${path}": "${text}" would be taken to the letter; write ":${other}"`)
    }
    if (!text.startsWith(':')) return text
    if (!PARAMETER.test(text)) {
      throw new Error(
        `the path "${path}": "${text}" is no parameter; one is ":name" and fills its whole segment`,
      )
    }
    const name = text.slice(1)
    if (params.includes(name)) throw new Error(`the path "${path}" names the parameter "${name}" twice`)
    refusePrototype(name)
    params.push(name)
    return null
  })
  if (!wildcard && params.length === 0) return { kind: 'exact', path, params, shape: path }
  if (wildcard) params.push('*')
  // A static segment never starts with ":" nor holds a "*", so the shape is unambiguous.
  const shape = `/${[...segments.map((segment) => segment ?? ':'), ...(wildcard ? ['*'] : [])].join('/')}`
  return { kind: 'segments', segments, wildcard, params, shape }
}

/** A path spelt otherwise than canonically would never match: say so at the start, not never. */
function requireCanonical(path: string): void {
  let result = canonicalise(path, { encodedSlash: true })
  if (result.ok && result.path === path) return
  if (!result.ok) result = canonicalise(encodeURI(path), { encodedSlash: true })
  if (result.ok) {
    throw new Error(`the path "${path}" is not canonical and would never match; write "${result.path}"`)
  }
  throw new Error(`the path "${path}" would never match: ${result.reason}`)
}

function parseRegex(path: RegExp): Pattern {
  // With g or y a RegExp remembers where it stopped, and every second request would fail.
  const flags = path.flags.replace(/[gy]/g, '')
  const groups = new RegExp(`(?:${path.source})|`, flags).exec('')
  const names = Object.keys(groups?.groups ?? {})
  for (const name of names) refusePrototype(name)
  const numbers = Array.from({ length: (groups?.length ?? 1) - 1 }, (_, place) => String(place + 1))
  return {
    kind: 'regex',
    regex: new RegExp(`^(?:${path.source})$`, flags),
    params: [...numbers, ...names],
    shape: `~${flags}~${path.source}`,
  }
}

function refusePrototype(name: string): void {
  if (name === '__proto__')
    throw new Error('a path parameter cannot be named "__proto__"; choose another name')
}
