/** The conditions of a route on headers, query and cookies, compiled. */
import { cookieValues } from '../upstreams/cookies.ts'
import { queryValue } from './query-text.ts'
import type { Matcher, RequestFacts, RouteMatch } from './route-match.ts'

export type Condition = (facts: RequestFacts) => boolean

/**
 * One condition per name, the cheapest to look up first. Reads query and cookies only when asked.
 * Throws an Error when a header is named twice, in two spellings.
 */
export function compileConditions(route: RouteMatch): readonly Condition[] {
  const headers = Object.keys(route.headers ?? {}).map((name) => name.toLowerCase())
  const twice = headers.find((name, place) => headers.indexOf(name) !== place)
  if (twice !== undefined)
    throw new Error(`the header "${twice}" is named twice; join the two into one RegExp`)
  return [
    ...Object.entries(route.headers ?? {}).map(([name, matcher]) => onHeader(name.toLowerCase(), matcher)),
    ...Object.entries(route.query ?? {}).map(([name, matcher]): Condition => {
      const holds = compileMatcher(matcher)
      return (facts) => holds(queryValue(facts.query, name))
    }),
    ...Object.entries(route.cookies ?? {}).map(([name, matcher]): Condition => {
      const holds = compileMatcher(matcher)
      return (facts) => holds(cookieValues(facts.headers.cookie, name, 1)[0])
    }),
  ]
}

function onHeader(name: string, matcher: Matcher): Condition {
  const holds = compileMatcher(matcher)
  return ({ headers }) => {
    const value = headers[name]
    if (typeof value === 'string') return holds(value)
    // Anything else than a list is what a plain object inherits ("constructor"): not a header.
    if (!Array.isArray(value) || value.length === 0) return holds(undefined)
    return value.some((one) => holds(one))
  }
}

/** Whether a value, or its absence, satisfies the matcher. */
export function compileMatcher(matcher: Matcher): (value: string | undefined) => boolean {
  if (typeof matcher === 'boolean') return (value) => (value !== undefined) === matcher
  if (typeof matcher === 'string') return (value) => value === matcher
  // Without g and y a RegExp keeps no state between two requests.
  const regex = new RegExp(matcher.source, matcher.flags.replace(/[gy]/g, ''))
  return (value) => value !== undefined && regex.test(value)
}
