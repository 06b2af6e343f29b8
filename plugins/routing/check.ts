import type { RouteConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { messageOf, written } from '../config/messages.ts'
import { type CheckedRegex, regexProblems } from '../config/regex-safety.ts'
import { compileRoute, routeMatch } from './compile.ts'
import { findShadowed } from './overlap.ts'
import { createRouter } from './router.ts'

const ENDS = ['upstream', 'split', 'redirect', 'respond', 'endpoint'] as const

function endProblem(route: RouteConfig): string | undefined {
  const given = ENDS.filter((end) => route[end] !== undefined)
  if (given.length === 1) return undefined
  return given.length === 0
    ? 'goes nowhere; give it an `upstream`, a `split`, a `redirect`, a `respond` or an `endpoint`'
    : `has ${given.map((end) => `\`${end}\``).join(' and ')}, of which it can have one`
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

function regexesOf(route: RouteConfig, index: number): (CheckedRegex & { at: string })[] {
  const found: (CheckedRegex & { at: string })[] = []
  const add = (value: unknown, at: string, whole: boolean): void => {
    if (value instanceof RegExp) found.push({ source: value.source, flags: value.flags, whole, at })
    else if (typeof value === 'string' && value.startsWith('~'))
      found.push({ source: value.slice(1), flags: '', whole, at })
  }
  add(route.path, written('routes', index, 'path'), true)
  for (const key of ['headers', 'query', 'cookies'] as const) {
    for (const [name, value] of Object.entries(route[key] ?? {}))
      add(value, written('routes', index, key, name), false)
  }
  return found
}

/** What is wrong with the routes, taken one by one and together. */
export async function routeProblems(routes: readonly RouteConfig[]): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const [index, route] of routes.entries()) {
    const path = `routes[${index}]`
    const end = endProblem(route)
    if (end !== undefined) problems.push({ path, message: end })
    problems.push(...pointlessProblems(route, path), ...endpointProblems(route, path))
    const shares = Object.values(route.split ?? {})
    if (shares.length > 0 && shares.every((share) => share === 0)) {
      problems.push({ path: `${path}.split`, message: 'all shares are 0, so no upstream could be chosen' })
    }
  }

  const regexes = routes.flatMap((route, index) => regexesOf(route, index))
  const verdicts = await regexProblems(regexes)
  for (const [i, verdict] of verdicts.entries()) {
    if (verdict !== undefined) problems.push({ path: (regexes[i] as { at: string }).at, message: verdict })
  }
  // What cannot be compiled has been told; the rest of the checks would tell it again in other words.
  if (problems.length > 0) return problems

  for (const [index, route] of routes.entries()) {
    try {
      compileRoute(route)
    } catch (error) {
      problems.push({ path: `routes[${index}]`, message: messageOf(error) })
    }
  }
  const matches = routes.map(routeMatch)
  for (const [index, match] of matches.entries()) {
    // The schema has said so.
    if (match.methods.length === 0) continue
    try {
      createRouter([match])
    } catch (error) {
      problems.push({ path: `routes[${index}]`, message: messageOf(error).replace(/^routes\[0\]: /, '') })
    }
  }
  if (problems.length > 0) return problems
  return findShadowed(matches).map(({ index, why }) => ({
    path: `routes[${index}]`,
    message: why.replace(/^routes\[\d+\] /, ''),
  }))
}
