/** The documented precedence by brute force: all routes that match, sorted. Shares no code with the router. */
import type { Matcher, RequestFacts, RouteMatch } from '../../plugins/routing/route-match.ts'

type Rank = number[]
interface Hit {
  index: number
  rank: Rank
  params: Record<string, string>
  allows: string[] | undefined
  ambiguous: boolean
}

export function oracle(routes: readonly RouteMatch[], facts: RequestFacts) {
  const hits = routes
    .flatMap((route, index) => hit(route, index, routes, facts) ?? [])
    .sort((a, b) => compare(a.rank, b.rank))
  const best = hits.find(({ allows }) => allows === undefined || allows.includes(facts.method))
  if (best?.ambiguous) return { kind: 'ambiguous' }
  if (best !== undefined) return { kind: 'route', index: best.index, params: best.params }
  if (hits.length === 0) return { kind: 'none' }
  return { kind: 'method', allow: [...new Set(hits.flatMap(({ allows }) => allows ?? []))].sort() }
}

function compare(a: Rank, b: Rank): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function hit(
  route: RouteMatch,
  index: number,
  routes: readonly RouteMatch[],
  facts: RequestFacts,
): Hit | undefined {
  const host = hostRank(hostOf(route), facts.host)
  const path = pathRank(route, facts.path, routes)
  const conditions = [
    ...Object.entries(route.headers ?? {}).map(([name, matcher]) =>
      satisfied(matcher, [facts.headers[name] ?? []].flat()),
    ),
    ...Object.entries(route.query ?? {}).map(([name, matcher]) =>
      satisfied(matcher, [new URLSearchParams(facts.query).getAll(name)].flat()),
    ),
    ...Object.entries(route.cookies ?? {}).map(([name, matcher]) => {
      const jar = new URLSearchParams(String(facts.headers.cookie ?? '').replaceAll('; ', '&'))
      return satisfied(matcher, jar.getAll(name))
    }),
  ]
  if (host === undefined || path === undefined || conditions.includes(false)) return undefined
  const allows = route.methods?.flatMap((method) =>
    method === 'GET' ? ['GET', 'HEAD'] : [method.toUpperCase()],
  )
  // Segment ranks differ in length: pad them, so that what follows is compared in its own column.
  const padded = [...path.rank, ...Array(12).fill(0)].slice(0, 12) as Rank
  const ambiguous = conditions.includes(undefined)
  return { index, params: path.params, allows, ambiguous, rank: [host, ...padded, -conditions.length, index] }
}

/** Undefined where one value satisfies it and another does not. */
function satisfied(matcher: Matcher, values: string[]): boolean | undefined {
  if (matcher === false) return values.length === 0
  if (values.length === 0) return false
  const verdicts = values.map((value) => {
    if (matcher === true) return true
    return typeof matcher === 'string' ? value === matcher : value.search(matcher) >= 0
  })
  return verdicts.every((verdict) => verdict === verdicts[0]) ? verdicts[0] : undefined
}

function hostRank(wanted: string, sent: string): number | undefined {
  const host = sent.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
  if (wanted === '*') return 1000
  const name = wanted.toLowerCase()
  if (!name.startsWith('*.')) return name === host ? 0 : undefined
  return host.endsWith(name.slice(1)) && host.length > name.length - 1 ? 1000 - name.length : undefined
}

/** Routes of several hosts are as many routes: another test says so. */
const hostOf = ({ host }: RouteMatch) => String(host ?? '*').toLowerCase()

function pathRank(route: RouteMatch, asked: string, routes: readonly RouteMatch[]) {
  const { path } = route
  if (typeof path !== 'string') {
    const found = new RegExp(`^(?:${path.source})$`, path.flags.replace('g', '')).exec(asked)
    if (found === null) return undefined
    const params: Record<string, string> = {}
    found.slice(1).forEach((group, place) => {
      params[place + 1] = group ?? ''
    })
    for (const [name, group] of Object.entries(found.groups ?? {})) params[name] = group ?? ''
    const first = routes.findIndex(
      (one) => String(one.path) === String(path) && hostOf(one) === hostOf(route),
    )
    return { rank: [1, first], params }
  }
  if (!/[:*]/.test(path)) return path === asked ? { rank: [0], params: {} } : undefined
  const names: string[] = []
  const source = path.replace(/\/\*$|:(\w+)/g, (all, name) => {
    names.push(name ?? '*')
    return all === '/*' ? '(?:/(.*))?' : '([^/]+)'
  })
  const found = new RegExp(`^${source}$`).exec(asked)
  if (found === null) return undefined
  const params = Object.fromEntries(names.map((name, place) => [name, found[place + 1] ?? '']))
  const rank = path
    .slice(1)
    .split('/')
    .map((text) => (text === '*' ? 3 : text.startsWith(':') ? 2 : 1))
  return { rank: [2, ...rank], params }
}
