import type { RouteConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { messageOf, written } from '../config/messages.ts'
import { isObject } from '../config/plain.ts'
import { type CheckedRegex, regexProblems } from '../config/regex-safety.ts'
import { routeMatch } from './compile.ts'
import { compileConditions } from './conditions.ts'
import { headerEditProblems, headerProblems } from './edits.ts'
import { parseHosts } from './host.ts'
import { findShadowed } from './overlap.ts'
import { parsePattern } from './pattern.ts'
import { compileRewrite } from './rewrite.ts'
import { compileTemplate } from './template.ts'

const ENDS = ['upstream', 'split', 'redirect', 'respond', 'endpoint'] as const

function countProblem(route: RouteConfig): string | undefined {
  const given = ENDS.filter((end) => route[end] !== undefined)
  if (given.length === 1) return undefined
  return given.length === 0
    ? 'goes nowhere; give it an `upstream`, a `split`, a `redirect`, a `respond` or an `endpoint`'
    : `has ${given.map((end) => `\`${end}\``).join(' and ')}, of which it can have one`
}

function endProblems(route: RouteConfig, path: string): Problem[] {
  const problems = [...pointlessProblems(route, path), ...endpointProblems(route, path)]
  const count = countProblem(route)
  if (count !== undefined) problems.push({ path, message: count })
  const shares = Object.values(route.split ?? {})
  if (shares.length > 0 && shares.every((share) => share === 0)) {
    problems.push({ path: `${path}.split`, message: 'all shares are 0, so no upstream could be chosen' })
  }
  return problems
}

/** Settings that only mean something where a request is forwarded. */
const FORWARDING = [
  'mirror',
  'stripPrefix',
  'rewrite',
  'requestHeaders',
  'requestQuery',
  'timeout',
  'repeatable',
] as const

function pointlessProblems(route: RouteConfig, path: string): Problem[] {
  if (route.upstream !== undefined || route.split !== undefined) return []
  return FORWARDING.filter((key) => route[key] !== undefined).map((key) => ({
    path: `${path}.${key}`,
    message: 'does nothing, since the route forwards nothing; take it out or give the route an `upstream`',
  }))
}

/** Fastify finds endpoints by path and method alone, and their answers are their own. */
const NOT_OF_ENDPOINTS = ['host', 'headers', 'query', 'cookies', 'responseHeaders', 'logLevel'] as const

function endpointProblems(route: RouteConfig, path: string): Problem[] {
  if (route.endpoint !== true) return []
  const problems = NOT_OF_ENDPOINTS.filter((key) => route[key] !== undefined).map((key) => ({
    path: `${path}.${key}`,
    message: 'does nothing for an `endpoint`, which takes all requests of its path; take it out',
  }))
  if (typeof route.path === 'string' && route.path.startsWith('/')) return problems
  return [
    ...problems,
    { path: `${path}.path`, message: 'of an `endpoint` has to be the path as it stands in its file' },
  ]
}

type RouteRegex = CheckedRegex & { readonly at: string; readonly index: number }

function regexesOf(route: RouteConfig, index: number): RouteRegex[] {
  const found: RouteRegex[] = []
  const add = (value: unknown, at: string, whole: boolean): void => {
    if (value instanceof RegExp) found.push({ source: value.source, flags: value.flags, whole, at, index })
    else if (typeof value === 'string' && value.startsWith('~'))
      found.push({ source: value.slice(1), flags: '', whole, at, index })
  }
  add(route.path, written('routes', index, 'path'), true)
  for (const key of ['headers', 'query', 'cookies'] as const) {
    for (const [name, value] of Object.entries(route[key] ?? {}))
      add(value, written('routes', index, key, name), false)
  }
  return found
}

/** What is wrong with the parts of a route, each told where it stands. */
function partProblems(route: RouteConfig, index: number, encodedSlash: boolean): Problem[] {
  const { rewrite, stripPrefix, redirect } = route
  const at = (...steps: string[]): string => written('routes', index, ...steps)
  const problems = [
    ...headerEditProblems(route.requestHeaders, ['routes', index, 'requestHeaders']),
    ...headerEditProblems(route.responseHeaders, ['routes', index, 'responseHeaders']),
    ...headerProblems(route.respond?.headers ?? {}, ['routes', index, 'respond', 'headers']),
  ]
  const attempt = (path: string, compile: () => unknown): boolean => {
    try {
      compile()
      return true
    } catch (error) {
      problems.push({ path, message: messageOf(error) })
      return false
    }
  }
  const match = routeMatch(route)
  attempt(at('host'), () => parseHosts(route.host))
  attempt(at('headers'), () => compileConditions(match))
  // Whatever uses the parameters of a path that is wrong would tell of it again.
  if (!attempt(at('path'), () => parsePattern(match.path))) return problems
  if (typeof match.path === 'string' && !encodedSlash && /%2f|%5c/i.test(match.path)) {
    const message = 'would never match, since requests with %2F or %5C are refused; set `server.encodedSlash`'
    problems.push({ path: at('path'), message })
  }
  if (rewrite !== undefined || stripPrefix !== undefined) {
    const options = { path: match.path, ...(rewrite && { rewrite }), ...(stripPrefix && { stripPrefix }) }
    attempt(at(rewrite === undefined ? 'stripPrefix' : 'rewrite'), () => compileRewrite(options))
  }
  if (redirect !== undefined) attempt(at('redirect', 'to'), () => compileTemplate(redirect.to, match.path))
  return problems
}

/**
 * What is wrong with the routes, taken one by one and together. All of it at once: a route with a problem is left out of
 * what would only tell it again in other words, and no other route is.
 * @param refused numbers of the routes that the schema has something against
 */
export async function routeProblems(
  routes: readonly RouteConfig[],
  encodedSlash: boolean,
  refused: ReadonlySet<number>,
): Promise<Problem[]> {
  const problems: Problem[] = []
  const faulty = new Set(refused)
  const tell = (index: number, found: readonly Problem[]): void => {
    if (found.length > 0) faulty.add(index)
    problems.push(...found)
  }
  const regexes = routes.flatMap((route, index) => regexesOf(route, index))
  const verdicts = await regexProblems(regexes)
  for (const [i, message] of verdicts.entries()) {
    const { at, index } = regexes[i] as (typeof regexes)[number]
    if (message !== undefined) tell(index, [{ path: at, message }])
  }
  for (const [index, route] of routes.entries()) {
    if (!faulty.has(index)) tell(index, partProblems(route, index, encodedSlash))
    // What a route does has nothing to do with what it matches.
    if (isObject(route)) problems.push(...endProblems(route, `routes[${index}]`))
  }
  const matches = routes.map((route, index) => (faulty.has(index) ? undefined : routeMatch(route)))
  const shadowed = findShadowed(matches).map(({ index, why }) => ({
    path: `routes[${index}]`,
    message: why.replace(/^routes\[\d+\] /, ''),
  }))
  return [...problems, ...shadowed]
}
