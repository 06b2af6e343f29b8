/**
 * Routes that no request can ever reach, because routes tried before them take everything.
 *
 * Only what is certain is told: routes with the same hosts and the same path shape. That a regex or a
 * wildcard elsewhere swallows a path is not looked for.
 */
import { compileMatcher } from './conditions.ts'
import { hostKey, parseHosts } from './host.ts'
import { parsePattern } from './pattern.ts'
import type { Matcher, RouteMatch } from './route-match.ts'
import { methodSet } from './router.ts'

export interface Shadowed {
  /** The place in the list of the route that is never reached. */
  readonly index: number
  /** The places of the routes that take its requests, in the order in which they are tried. */
  readonly by: number[]
  /** One sentence for the user, with the remedy. */
  readonly why: string
}

interface Facts {
  readonly index: number
  readonly methods: ReadonlySet<string> | undefined
  readonly conditions: ReadonlyMap<string, Matcher>
}

/** Routes in whose place undefined stands are passed over. Throws on a faulty one: have its problems first. */
export function findShadowed(routes: readonly (RouteMatch | undefined)[]): Shadowed[] {
  const groups = new Map<string, Facts[]>()
  const found: Shadowed[] = []
  routes.forEach((route, index) => {
    if (route === undefined) return
    const { shape } = parsePattern(route.path)
    const facts: Facts = { index, methods: methodSet(route.methods), conditions: conditionsOf(route) }
    const takers = parseHosts(route.host).map((host) => {
      const key = `${hostKey(host)} ${shape}`
      const group = groups.get(key) ?? []
      groups.set(key, group)
      // Routes with more conditions are tried first and those with fewer later: what comes before this
      // one and asks for nothing more has as many conditions and an earlier place.
      const by = covering(
        group.filter((other) => takesWhatever(other, facts)),
        facts.methods,
      )
      group.push(facts)
      return by
    })
    // One that is reached by one of its hosts is reached.
    if (takers.includes(undefined)) return
    const by = [...new Set(takers.flatMap((one) => one ?? []))].sort((a, b) => a - b)
    found.push({ index, by, why: explain(index, by) })
  })
  return found
}

/** Whether every request that fulfils `route`'s conditions fulfils `other`'s, which is tried before it. */
function takesWhatever(other: Facts, route: Facts): boolean {
  if (other.conditions.size !== route.conditions.size) return false
  for (const [name, matcher] of other.conditions) {
    const stricter = route.conditions.get(name)
    if (stricter === undefined || !implies(stricter, matcher)) return false
  }
  return true
}

function implies(stricter: Matcher, matcher: Matcher): boolean {
  if (typeof stricter === 'string') return compileMatcher(matcher)(stricter)
  if (stricter === false) return matcher === false
  if (matcher === true) return true
  return stricter instanceof RegExp && matcher instanceof RegExp && String(stricter) === String(matcher)
}

/** Those of the routes that are needed to cover the methods; undefined if they leave one over. */
function covering(before: readonly Facts[], methods: ReadonlySet<string> | undefined): number[] | undefined {
  const whole = before.find((other) => other.methods === undefined)
  if (methods === undefined) return whole && [whole.index]
  const left = new Set(methods)
  const by: number[] = []
  for (const other of before) {
    const taken = [...left].filter((method) => other.methods === undefined || other.methods.has(method))
    if (taken.length === 0) continue
    for (const method of taken) left.delete(method)
    by.push(other.index)
    if (left.size === 0) return by
  }
  return undefined
}

function explain(index: number, by: readonly number[]): string {
  const takers = by.map((place) => `routes[${place}]`)
  const list = takers.length === 1 ? takers[0] : `${takers.slice(0, -1).join(', ')} and ${takers.at(-1)}`
  return (
    `routes[${index}] is never reached: ${list} ${takers.length === 1 ? 'matches' : 'match'} all that it matches ` +
    'and comes before it; remove it, move it up, or give it a condition of its own'
  )
}

/** By kind and name. Header names do not care for case; names of queries and cookies do. */
function conditionsOf(route: RouteMatch): ReadonlyMap<string, Matcher> {
  return new Map([
    ...Object.entries(route.headers ?? {}).map(([name, matcher]): [string, Matcher] => [
      `h ${name.toLowerCase()}`,
      matcher,
    ]),
    ...Object.entries(route.query ?? {}).map(([name, matcher]): [string, Matcher] => [`q ${name}`, matcher]),
    ...Object.entries(route.cookies ?? {}).map(([name, matcher]): [string, Matcher] => [
      `c ${name}`,
      matcher,
    ]),
  ])
}
