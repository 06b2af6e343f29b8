/**
 * The routes of one host, by path: a Map for exact paths, the regexes in order, a trie by segment.
 *
 * But for the regexes, a look-up costs what the path's length asks for, however many routes there
 * are: the trie visits only nodes that agree with the path so far.
 */
import type { Pattern } from './pattern.ts'
import type { Params, RequestFacts } from './route-match.ts'

/** Chooses among the routes of one path (their conditions and methods decide), or takes none. */
export type Pick<Route> = (leaf: readonly Route[], facts: RequestFacts) => Route | undefined

/** What a look-up found: read it before the next one. */
export interface Found<Route> {
  readonly route: Route
  readonly params: Params
}

export interface PathTable<Route> {
  add(pattern: Pattern, route: Route): void
  find(facts: RequestFacts, pick: Pick<Route>): Found<Route> | undefined
}

interface Node<Route> {
  readonly children: Map<string, Node<Route>>
  parameter: Node<Route> | undefined
  readonly end: Route[]
  readonly rest: Route[]
}

export const NO_PARAMS: Params = Object.freeze({})

/** Routes of one path must be added in the order in which they are to be tried. */
export function createPathTable<Route extends { readonly names: readonly string[] }>(): PathTable<Route> {
  const exact = new Map<string, Route[]>()
  const regexes = new Map<string, { regex: RegExp; leaf: Route[] }>()
  const root = emptyNode<Route>()
  // Where the parameters of the branch in hand begin and end: one pair of lists for all look-ups.
  const starts: number[] = []
  const ends: number[] = []

  function add(pattern: Pattern, route: Route): void {
    if (pattern.kind === 'exact') grow(exact, pattern.path, () => []).push(route)
    else if (pattern.kind === 'regex') {
      grow(regexes, pattern.shape, () => ({ regex: pattern.regex, leaf: [] })).leaf.push(route)
    } else {
      let node = root
      for (const segment of pattern.segments) {
        if (segment === null) {
          node.parameter ??= emptyNode()
          node = node.parameter
        } else node = grow(node.children, segment, emptyNode<Route>)
      }
      const leaf = pattern.wildcard ? node.rest : node.end
      leaf.push(route)
    }
  }

  function find(facts: RequestFacts, pick: Pick<Route>): Found<Route> | undefined {
    const { path } = facts
    const leaf = exact.get(path)
    if (leaf !== undefined) {
      const route = pick(leaf, facts)
      if (route !== undefined) return { route, params: NO_PARAMS }
    }
    for (const { regex, leaf } of regexes.values()) {
      const groups = regex.exec(path)
      if (groups === null) continue
      const route = pick(leaf, facts)
      if (route !== undefined) return { route, params: groupParams(groups) }
    }
    // The asterisk form (`OPTIONS *`) has no segments.
    const route = path.startsWith('/') ? walk(root, 1, 0, facts, pick) : undefined
    return route && { route, params: segmentParams(route, path) }
  }

  /** `from` is where the next segment starts, and beyond the path's length when none is left. */
  function walk(
    node: Node<Route>,
    from: number,
    depth: number,
    facts: RequestFacts,
    pick: Pick<Route>,
  ): Route | undefined {
    const { path } = facts
    let route: Route | undefined
    if (from > path.length) {
      if (node.end.length > 0) route = pick(node.end, facts)
    } else {
      let end = path.indexOf('/', from)
      if (end === -1) end = path.length
      if (node.children.size > 0) {
        const child = node.children.get(path.slice(from, end))
        if (child !== undefined) route = walk(child, end + 1, depth, facts, pick)
      }
      if (route === undefined && node.parameter !== undefined && end > from) {
        starts[depth] = from
        ends[depth] = end
        route = walk(node.parameter, end + 1, depth + 1, facts, pick)
      }
    }
    if (route === undefined && node.rest.length > 0) {
      starts[depth] = from
      ends[depth] = path.length
      route = pick(node.rest, facts)
    }
    return route
  }

  function segmentParams(route: Route, path: string): Params {
    const params: Record<string, string> = {}
    for (let i = 0; i < route.names.length; i++) {
      params[route.names[i] as string] = path.slice(starts[i], ends[i])
    }
    return params
  }

  return { add, find }
}

/** A group that took no part in the match is `''`, so that a template can use it in any case. */
function groupParams(groups: RegExpExecArray): Params {
  if (groups.length === 1) return NO_PARAMS
  const params: Record<string, string> = {}
  for (let i = 1; i < groups.length; i++) params[i] = groups[i] ?? ''
  for (const name in groups.groups) params[name] = groups.groups[name] ?? ''
  return params
}

function emptyNode<Route>(): Node<Route> {
  return { children: new Map(), parameter: undefined, end: [], rest: [] }
}

function grow<Value>(map: Map<string, Value>, key: string, create: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) {
    value = create()
    map.set(key, value)
  }
  return value
}
