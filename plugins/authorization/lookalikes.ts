import { GatewayError } from '../upstreams/errors.ts'
import { readingsOf } from './readings.ts'

/** As much as is needed of a route. */
export interface GuardedRoute {
  readonly config: {
    readonly path: string | RegExp
    readonly host?: string
    readonly upstream?: string
    readonly split?: object
    readonly auth?: unknown
    readonly authorization?: unknown
    readonly addresses?: unknown
    readonly rateLimit?: unknown
  }
}

/** Requests that miss a guarded route by their method, or by what else it asks for, and so come to another one. */
export interface Gap<R> {
  readonly guarded: R
  readonly other: R
  readonly methods: readonly string[]
}

/** Those by which upstreams are usually asked for something. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function ambiguous(): GatewayError {
  return new GatewayError('GTW_AMBIGUOUS_PATH', 400, 'client', 'The path can be read in more than one way')
}

function ambiguousMethod(): GatewayError {
  return new GatewayError(
    'GTW_BAD_REQUEST',
    400,
    'client',
    'The request can be read as one of another method',
  )
}

/** Whether not everybody may come in. */
function guards({ config: { auth, authorization, addresses } }: GuardedRoute): boolean {
  return auth !== undefined || authorization !== undefined || addresses !== undefined
}

/** What a route demands before it serves, as text to compare; '' is nothing. */
function demands(route: GuardedRoute): string {
  const { auth, authorization, addresses, rateLimit } = route.config
  return guards(route) || rateLimit !== undefined
    ? JSON.stringify([auth, authorization, addresses, rateLimit])
    : ''
}

function isRegex(path: string | RegExp): path is RegExp | `~${string}` {
  return path instanceof RegExp || path.startsWith('~')
}

function forwards({ config: { upstream, split } }: GuardedRoute): boolean {
  return upstream !== undefined || split !== undefined
}

/** Refuses requests of one route that an upstream may take for those of another one, which demands something else. */
export class Lookalikes<R extends GuardedRoute> {
  readonly #demands: ReadonlyMap<R, string>
  readonly #spellings = new Map<string, string>()
  /** Some route that demands something ends in a slash: what it is without one may be the same to an upstream. */
  readonly #slashed: boolean

  constructor(routes: readonly R[]) {
    this.#demands = new Map(routes.map((route) => [route, demands(route)]))
    let slashed = false
    for (const route of routes) {
      const { path } = route.config
      if (isRegex(path)) continue
      if (/.\/$/.test(path) && this.#demands.get(route) !== '') slashed = true
      for (const segment of path.split('/')) this.#spellings.set(segment.toLowerCase(), segment)
    }
    this.#slashed = slashed
  }

  /** Whether the requests of this route have to be looked at. */
  concerns(route: R): boolean {
    if (!forwards(route)) return false
    const own = this.#demands.get(route)
    return [...this.#demands.values()].some((other) => other !== '' && other !== own)
  }

  /**
   * Throws a `GatewayError` to refuse.
   * @param methods other ones that an upstream may take the request's for
   * @param routeOf the route that a path, and a method instead of the request's own, would have led to
   */
  check(
    route: R,
    path: string,
    methods: Iterable<string>,
    routeOf: (path: string, method?: string) => R | undefined,
  ): void {
    const respell = (segment: string): string => this.#spellings.get(segment) ?? segment
    const readings = readingsOf(path, respell, !isRegex(route.config.path))
    if (readings === undefined) throw ambiguous()
    for (const reading of readings) if (this.#differ(route, routeOf(reading))) throw ambiguous()
    if (this.#slashed && !path.endsWith('/') && this.#differ(route, routeOf(`${path}/`))) throw ambiguous()
    for (const method of methods) {
      for (const reading of [path, ...readings])
        if (this.#differ(route, routeOf(reading, method))) throw ambiguousMethod()
    }
  }

  /**
   * Where it is easily overlooked that a route guards less than its path: what it does not take goes on to another one
   * with a wider path. Looks at one path for each route, and at none that are regular expressions.
   * @param routeOf the route of a request that has nothing but these
   */
  gaps(routeOf: (host: string, path: string, method: string) => R | undefined): Gap<R>[] {
    const gaps: Gap<R>[] = []
    for (const guarded of this.#demands.keys()) {
      const { path, host = '' } = guarded.config
      if (!guards(guarded) || isRegex(path)) continue
      const sample = path.replace(/:[A-Za-z_]\w*|\*/g, 'x')
      const found = Map.groupBy(METHODS, (method) => routeOf(host.replace('*', 'x'), sample, method))
      for (const [other, methods] of found) {
        // Of one path, and by method or header: that is what it was written for.
        if (other === undefined || other.config.path === path || !forwards(other)) continue
        if (!guards(other)) gaps.push({ guarded, other, methods })
      }
    }
    return gaps
  }

  #differ(route: R, other: R | undefined): boolean {
    if (other === undefined || other === route) return false
    const demanded = this.#demands.get(other)
    return demanded !== '' && demanded !== this.#demands.get(route)
  }
}
