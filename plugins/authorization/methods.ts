/** The methods by which a request is judged: its own, and those that an upstream may take it for. */

import { conflated } from '../config/own-headers.ts'

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

const FORM_OVERRIDE = /[?&](?:_|%5f)(?:m|%6d)(?:e|%65)(?:t|%74)(?:h|%68)(?:o|%6f)(?:d|%64)=([^&]*)/gi

function add(methods: Set<string>, text: string): void {
  for (const one of text.split(',')) methods.add(one.trim().toUpperCase())
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
  const query = url.indexOf('?')
  if (query >= 0) {
    for (const [, value = ''] of url.slice(query).matchAll(FORM_OVERRIDE)) {
      methods ??= new Set()
      try {
        add(methods, decodeURIComponent(value))
      } catch {
        // What cannot be decoded is no method.
      }
    }
  }
  return methods ?? NONE
}

/** Those by which a request is judged. HEAD asks for what GET would be told, so it is judged as GET too. */
export function methodsOf({ method, url, headers }: MethodRequest): ReadonlySet<string> {
  const own = method === 'HEAD' ? ['HEAD', 'GET'] : [method]
  return new Set([...own, ...overridesOf({ url, headers })])
}
