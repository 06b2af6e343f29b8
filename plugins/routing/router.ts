/**
 * Which route takes a request. Host comes before path and conditions fall through, which Fastify's
 * own router does not do: so config routes are matched here.
 *
 * Precedence, and it is stable:
 *
 * 1. host: the exact one, then the longest wildcard, then routes for any host;
 * 2. path: the exact one, then regexes in config order (equal regexes stand where the first of them
 *    stands), then by segment from left to right: a text before a parameter before the wildcard;
 * 3. more conditions (headers, query and cookies together) before fewer;
 * 4. config order.
 *
 * A route whose conditions or method do not fit is passed over, and the next one is tried, down to
 * less specific paths and hosts. If in the end only methods stood in the way, the result says which
 * would have been served.
 *
 * Where a header, parameter or cookie has come several times, and a route would match by one of them and not by another,
 * the request is ambiguous, and no route takes it.
 *
 * The cost does not grow with the number of routes, except for regexes of the same host and for
 * routes that share one path and differ in conditions: those are tried one after the other.
 */
import { normaliseHost } from '../config/host-name.ts'
import { type Condition, compileConditions } from './conditions.ts'
import { type HostPattern, hostKey, LONGEST_HOST, parseHosts } from './host.ts'
import { createPathTable, NO_PARAMS, type PathTable } from './path-table.ts'
import { type Pattern, parsePattern } from './pattern.ts'
import type { MatchResult, RequestFacts, RouteMatch } from './route-match.ts'

export interface Router {
  match(facts: RequestFacts): MatchResult
}

interface Route {
  readonly index: number
  readonly names: readonly string[]
  readonly methods: ReadonlySet<string> | undefined
  readonly conditions: readonly Condition[]
  /** What to answer when there are no parameters: made once. */
  readonly result: MatchResult
}

const NONE: MatchResult = Object.freeze({ kind: 'none' })
const AMBIGUOUS: MatchResult = Object.freeze({ kind: 'ambiguous' })

/**
 * Compiles the routes. Throws one Error that lists all faulty routes, each with its place
 * (`routes[3]: ...`) and its remedy.
 */
export function createRouter(routes: readonly RouteMatch[]): Router {
  const exactHosts = new Map<string, PathTable<Route>>()
  const wildcardHosts = new Map<string, PathTable<Route>>()
  const anyHost = createPathTable<Route>()
  const problems: string[] = []
  const compiled = routes.flatMap((route, index) => {
    try {
      return compile(route, index)
    } catch (error) {
      problems.push(`routes[${index}]: ${(error as Error).message}`)
      return []
    }
  })
  if (problems.length > 0) throw new Error(problems.join('\n'))
  for (const { host, pattern, route } of inOrder(compiled)) {
    let table = anyHost
    if (host.kind !== 'any') {
      const hosts = host.kind === 'exact' ? exactHosts : wildcardHosts
      table = hosts.get(host.name) ?? createPathTable<Route>()
      hosts.set(host.name, table)
    }
    table.add(pattern, route)
  }

  // Methods that routes passed over would have taken, for the request in hand.
  const refused = new Set<string>()
  // Whether it cannot be told if a route would have been passed over.
  let ambiguous = false

  function pick(leaf: readonly Route[], facts: RequestFacts): Route | undefined {
    for (const route of leaf) {
      const fits = holds(route.conditions, facts)
      if (fits === false) continue
      if (route.methods !== undefined && !route.methods.has(facts.method)) {
        for (const method of route.methods) refused.add(method)
        continue
      }
      // Found or not, no other route may have it: the search ends here.
      ambiguous = fits === undefined
      return route
    }
    return undefined
  }

  function search(table: PathTable<Route>, facts: RequestFacts): MatchResult | undefined {
    const found = table.find(facts, pick)
    if (found === undefined) return undefined
    if (found.params === NO_PARAMS) return found.route.result
    return { kind: 'route', index: found.route.index, params: found.params }
  }

  function searchHosts(facts: RequestFacts): MatchResult | undefined {
    const host = normaliseHost(facts.host)
    const table = exactHosts.get(host)
    const result = table && search(table, facts)
    if (result !== undefined || wildcardHosts.size === 0 || host.length > LONGEST_HOST) return result
    // From the second character on: a wildcard stands for one label at least.
    for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const table = wildcardHosts.get(host.slice(dot + 1))
      const result = table && search(table, facts)
      if (result !== undefined) return result
    }
    return undefined
  }

  function match(facts: RequestFacts): MatchResult {
    if (refused.size > 0) refused.clear()
    ambiguous = false
    const specific = exactHosts.size + wildcardHosts.size > 0 ? searchHosts(facts) : undefined
    const result = specific ?? search(anyHost, facts)
    if (result !== undefined) return ambiguous ? AMBIGUOUS : result
    return refused.size > 0 ? { kind: 'method', allow: [...refused].sort() } : NONE
  }

  return { match }
}

/** A route under one of its hosts. */
interface Compiled {
  readonly host: HostPattern
  readonly pattern: Pattern
  readonly route: Route
}

function compile(match: RouteMatch, index: number): Compiled[] {
  const hosts = parseHosts(match.host)
  const pattern = parsePattern(match.path)
  const route: Route = {
    index,
    names: pattern.params,
    methods: methodSet(match.methods),
    conditions: compileConditions(match),
    result: Object.freeze({ kind: 'route', index, params: NO_PARAMS }),
  }
  return hosts.map((host) => ({ host, pattern, route }))
}

/**
 * Sorted by what decides within one path. Regexes alone care for their order among different paths,
 * and take it from the first route of each, whatever its conditions: so groups come whole.
 */
function inOrder(compiled: readonly Compiled[]): Compiled[] {
  const groups = new Map<string, Compiled[]>()
  for (const one of compiled) {
    const key = `${hostKey(one.host)} ${one.pattern.shape}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return [...groups.values()].flatMap((group) =>
    group.sort(
      (a, b) => b.route.conditions.length - a.route.conditions.length || a.route.index - b.route.index,
    ),
  )
}

/** Upper-case, HEAD added to GET; undefined means all. Throws an Error when the list is empty. */
export function methodSet(methods: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (methods === undefined) return undefined
  if (methods.length === 0)
    throw new Error('"methods" is empty, so nothing would match; leave it out for all methods')
  const set = new Set(methods.map((method) => method.toUpperCase()))
  if (set.has('GET')) set.add('HEAD')
  return set
}

function holds(conditions: readonly Condition[], facts: RequestFacts): boolean | undefined {
  let verdict: boolean | undefined = true
  for (const condition of conditions) {
    const one = condition(facts)
    // One that does not hold settles it, whatever the others come to.
    if (one === false) return false
    verdict &&= one
  }
  return verdict
}
