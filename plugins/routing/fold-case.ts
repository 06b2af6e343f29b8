/** Routes as servers see them that do not tell capitals from small letters: Express, IIS, ASP.NET and others. */
import type { CompiledRoute } from './compile.ts'
import { AMBIGUOUS } from './find.ts'
import type { RequestFacts } from './route-match.ts'
import { createRouter } from './router.ts'

/** Escaped UTF-8 of what is not ASCII. */
const WIDE = /(?:%[89A-F][0-9A-F])+/gi
const ESCAPE = /%[0-9a-f]{2}/g

/** The i of Turkish, with its dot in capitals and without in small letters, is one to Java's `equalsIgnoreCase`. */
function lowerCase(text: string): string {
  return text.replace(/[\u0130\u0131]/g, 'i').toLowerCase()
}

function foldWide(escapes: string): string {
  try {
    return encodeURIComponent(lowerCase(decodeURIComponent(escapes)))
  } catch {
    // No UTF-8: there are no capitals in it.
    return escapes
  }
}

/** A canonical path in small letters, and canonical still. */
export function foldCase(path: string): string {
  if (!/[A-Z%]/.test(path)) return path
  const folded = path.includes('%') ? path.replace(WIDE, foldWide) : path
  return folded.toLowerCase().replace(ESCAPE, (one) => one.toUpperCase())
}

function foldPattern(path: string | RegExp): string | RegExp {
  if (path instanceof RegExp) return path.ignoreCase ? path : new RegExp(path.source, `${path.flags}i`)
  return path
    .split('/')
    .map((segment) => (segment.startsWith(':') ? segment : foldCase(segment)))
    .join('/')
}

/** Finds the route of a request by its path in whatever case. Throws a `GatewayError` if it cannot be told. */
export function foldedRouter(
  routes: readonly CompiledRoute[],
): (facts: RequestFacts) => CompiledRoute | undefined {
  const router = createRouter(routes.map(({ match }) => ({ ...match, path: foldPattern(match.path) })))
  return (facts) => {
    const result = router.match({ ...facts, path: foldCase(facts.path) })
    if (result.kind === 'ambiguous') throw AMBIGUOUS
    return result.kind === 'route' ? routes[result.index] : undefined
  }
}
