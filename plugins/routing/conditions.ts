/** The conditions of a route on headers, query and cookies, compiled. */
import { conflated, passesFor } from '../config/own-headers.ts'
import { cookieValues } from '../upstreams/cookies.ts'
import { queryValues } from './query-text.ts'
import type { Matcher, RequestFacts, RouteMatch } from './route-match.ts'

/** Undefined where it holds for one of several values and not for another. */
export type Condition = (facts: RequestFacts) => boolean | undefined

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
      return (facts) => forAll(queryValues(facts.query, name), holds)
    }),
    ...Object.entries(route.cookies ?? {}).map(([name, matcher]): Condition => {
      const holds = compileMatcher(matcher)
      return ({ headers: { cookie } }) =>
        cookie === undefined
          ? holds(undefined)
          : forAll(cookieValues(cookie, name, Number.POSITIVE_INFINITY), holds)
    }),
  ]
}

type Holds = (value: string | undefined) => boolean

function forAll(values: readonly string[], holds: Holds): boolean | undefined {
  const first = holds(values[0])
  for (let i = 1; i < values.length; i++) if (holds(values[i]) !== first) return undefined
  return first
}

/** Lists by their definition: several lines of them are one, and mean the same joined (RFC 9110, 5.3). */
const LIST = /^(?:accept(?:-.*)?|cache-control|forwarded|prefer|via|x-forwarded-.*)$/

function onHeader(name: string, matcher: Matcher): Condition {
  const holds = compileMatcher(matcher)
  const list = LIST.test(name)
  const spellings = new Set([conflated(name)])
  const said = ({ headers, rawHeaders }: RequestFacts): boolean | undefined => {
    const value = headers[name]
    if (typeof value === 'string') {
      // Node joins what has come several times, or takes the first, which is then all that goes on.
      if (list || rawHeaders === undefined || !value.includes(', ')) return holds(value)
      const lines = linesOf(rawHeaders, name)
      return lines.length > 1 ? forAll([value, ...lines], holds) : holds(value)
    }
    // Anything else than a list is what a plain object inherits ("constructor"): not a header.
    if (!Array.isArray(value) || value.length === 0) return holds(undefined)
    return forAll(value, holds)
  }
  return (facts) => {
    const verdict = said(facts)
    for (const other in facts.headers) {
      // `x_user` is `x-user` to an upstream that has it from CGI, WSGI and the like.
      if (other === name || !passesFor(other, spellings)) continue
      if (holds(String(facts.headers[other])) !== verdict) return undefined
    }
    return verdict
  }
}

function linesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name)
}

/** Whether a value, or its absence, satisfies the matcher. */
export function compileMatcher(matcher: Matcher): Holds {
  if (typeof matcher === 'boolean') return (value) => (value !== undefined) === matcher
  if (typeof matcher === 'string') return (value) => value === matcher
  // Without g and y a RegExp keeps no state between two requests.
  const regex = new RegExp(matcher.source, matcher.flags.replace(/[gy]/g, ''))
  return (value) => value !== undefined && regex.test(value)
}
