/** The methods by which a request is judged: its own, and those that an upstream may take it for. */

import { conflated } from '../config/own-headers.ts'
import { parameterName } from '../config/parameter-name.ts'

/** With one of these a POST is another method to many frameworks, as with `_method` in its query or form. */
const OVERRIDES: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
])

interface MethodRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Without any of these no name in a query is `_method` to anybody. */
const MAY_OVERRIDE = /method|%/i

/**
 * Decoded as forms are (IIS knows `%u005f` besides), up to a NUL, which ends it for servers in C. Letters beyond ASCII
 * need not come out right.
 */
function decoded(text: string): string {
  const plain = text
    .replaceAll('+', ' ')
    .replace(/%(?:u00)?([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  const end = plain.indexOf('\0')
  return (end < 0 ? plain : plain.slice(0, end)).trim()
}

/** What can be the name of a method (RFC 9110, 9.1). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Z-]+$/

function add(methods: Set<string>, text: string): void {
  for (const one of text.split(',')) {
    const method = one.trim().toUpperCase()
    if (TOKEN.test(method)) methods.add(method)
  }
}

const NONE: readonly string[] = []

/** What an upstream may take a request's method for, in capitals: what it says besides. */
export function overridesOf({ url, headers }: Omit<MethodRequest, 'method'>): Iterable<string> {
  let methods: Set<string> | undefined
  for (const name in headers) {
    if (!name.includes('method') || !OVERRIDES.has(conflated(name))) continue
    methods ??= new Set()
    add(methods, String(headers[name]))
  }
  const question = url.indexOf('?')
  const query = question < 0 ? '' : url.slice(question + 1)
  if (MAY_OVERRIDE.test(query)) {
    // Some servers separate by semicolons too.
    for (const pair of query.split(/[&;]/)) {
      const equals = pair.indexOf('=')
      if (equals < 0 || parameterName(decoded(pair.slice(0, equals))) !== '_method') continue
      methods ??= new Set()
      add(methods, decoded(pair.slice(equals + 1)))
    }
  }
  return methods ?? NONE
}

/** Those by which a request is judged. HEAD asks for what GET would be told, so it is judged as GET too. */
export function methodsOf({ method, url, headers }: MethodRequest): ReadonlySet<string> {
  const own = method === 'HEAD' ? ['HEAD', 'GET'] : [method]
  return new Set([...own, ...overridesOf({ url, headers })])
}
