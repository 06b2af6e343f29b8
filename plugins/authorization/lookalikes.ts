import { GatewayError } from '../upstreams/errors.ts'
import { readingsOf } from './readings.ts'

/** As much as is needed of a route. */
export interface GuardedRoute {
  readonly config: {
    readonly path: string | RegExp
    readonly host?: readonly string[]
    readonly upstream?: string
    readonly split?: object
    readonly auth?: unknown
    readonly authorization?: unknown
    readonly addresses?: unknown
    readonly rateLimit?: unknown
  }
}

/**
 * The route that a path would have led to.
 * @param folded as a server finds it that does not tell capitals from small letters
 * @param method instead of the request's own
 */
export type RouteOf<R> = (path: string, folded: boolean, method?: string) => R | undefined

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

/** What JSON has no word for: options of authorizers may be anything. */
function asText(_key: string, value: unknown): unknown {
  const isOdd = value instanceof RegExp || typeof value === 'function' || typeof value === 'bigint'
  return isOdd ? String(value) : value
}

/** What a route demands before it serves, as text to compare; '' is nothing. */
function demands(route: GuardedRoute): string {
  const { auth, authorization, addresses, rateLimit } = route.config
  return guards(route) || rateLimit !== undefined
    ? JSON.stringify([auth, authorization, addresses, rateLimit], asText)
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
  /** Routes whose paths are this one's but for capitals. To a server that does not tell them apart they are one. */
  readonly #twins = new Map<R, readonly R[]>()
  /** Some route that demands something may end in a slash: what it is without one may be the same to an upstream. */
  readonly #slashed: boolean
  /** Some route is not written in small letters: a path that is may lead to it all the same. */
  readonly #capitals: boolean

  constructor(routes: readonly R[]) {
    this.#demands = new Map(routes.map((route) => [route, demands(route)]))
    const written = routes.filter(({ config }) => !isRegex(config.path))
    this.#slashed = routes.some(
      (route) =>
        this.#demands.get(route) !== '' && (isRegex(route.config.path) || /.\/$/.test(route.config.path)),
    )
    this.#capitals =
      written.length < routes.length || written.some(({ config }) => /[A-Z%]/.test(`${config.path}`))
    for (const alike of Map.groupBy(written, ({ config }) => `${config.path}`.toLowerCase()).values()) {
      for (const one of alike) {
        const others = alike.filter(({ config }) => config.path !== one.config.path)
        if (others.length > 0) this.#twins.set(one, others)
      }
    }
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
   */
  check(route: R, path: string, methods: Iterable<string>, routeOf: RouteOf<R>): void {
    const readings = readingsOf(path)
    if (readings === undefined) throw ambiguous()
    const folds = this.#capitals || /[A-Z%]/.test(path)
    const leadsElsewhere = (reading: string, method?: string): boolean =>
      this.#differ(route, routeOf(reading, false, method)) ||
      (folds && this.#differ(route, routeOf(reading, true, method), true))
    if (folds && this.#differ(route, routeOf(path, true), true)) throw ambiguous()
    for (const reading of readings) if (leadsElsewhere(reading)) throw ambiguous()
    if (this.#slashed && !path.endsWith('/') && leadsElsewhere(`${path}/`)) throw ambiguous()
    for (const method of methods) {
      for (const reading of [path, ...readings]) if (leadsElsewhere(reading, method)) throw ambiguousMethod()
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
      const { path, host: hosts = [''] } = guarded.config
      if (!guards(guarded) || isRegex(path)) continue
      const sample = path.replace(/:[A-Za-z_]\w*|\*/g, 'x')
      const asked = hosts.flatMap((host) =>
        METHODS.map((method) => ({ host: host.replace('*', 'x'), method })),
      )
      const found = Map.groupBy(asked, ({ host, method }) => routeOf(host, sample, method))
      for (const [other, takes] of found) {
        // Of one path, and by method or header: that is what it was written for.
        if (other === undefined || other.config.path === path || !forwards(other)) continue
        const methods = [...new Set(takes.map(({ method }) => method))]
        if (!guards(other)) gaps.push({ guarded, other, methods })
      }
    }
    return gaps
  }

  /** Routes that get nothing but 400, and the ones for whose sake: their paths differ by capitals only. */
  clashes(): (readonly [R, R])[] {
    return [...this.#twins].flatMap(([route, twins]) =>
      twins.filter((twin) => this.#differ(route, twin)).map((twin) => [route, twin] as const),
    )
  }

  #differ(route: R, other: R | undefined, folded = false): boolean {
    if (other === undefined) return false
    if (folded && this.#twins.get(other)?.some((twin) => this.#differ(route, twin))) return true
    if (other === route) return false
    const demanded = this.#demands.get(other)
    return demanded !== '' && demanded !== this.#demands.get(route)
  }
}
