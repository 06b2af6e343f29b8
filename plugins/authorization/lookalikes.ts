import { GatewayError } from '../upstreams/errors.ts'
import { readingsOf } from './readings.ts'

/** As much as is needed of a route. */
export interface GuardedRoute {
  readonly config: {
    readonly path: string | RegExp
    readonly upstream?: string
    readonly split?: object
    readonly auth?: unknown
    readonly authorization?: unknown
    readonly addresses?: unknown
  }
}

function ambiguous(): GatewayError {
  return new GatewayError('GTW_AMBIGUOUS_PATH', 400, 'client', 'The path can be read in more than one way')
}

/** What a route demands before it serves, as text to compare; '' is nothing. */
function demands({ config: { auth, authorization, addresses } }: GuardedRoute): string {
  return auth === undefined && authorization === undefined && addresses === undefined
    ? ''
    : JSON.stringify([auth, authorization, addresses])
}

function isRegex(path: string | RegExp): boolean {
  return path instanceof RegExp || path.startsWith('~')
}

/** Refuses paths of one route that an upstream may take for those of another one, which demands something else. */
export class Lookalikes<R extends GuardedRoute> {
  readonly #demands: ReadonlyMap<R, string>
  readonly #spellings = new Map<string, string>()

  constructor(routes: readonly R[]) {
    this.#demands = new Map(routes.map((route) => [route, demands(route)]))
    for (const { config } of routes) {
      if (isRegex(config.path)) continue
      for (const segment of (config.path as string).split('/'))
        this.#spellings.set(segment.toLowerCase(), segment)
    }
  }

  /** Whether the paths of this route have to be looked at. */
  concerns(route: R): boolean {
    const { upstream, split } = route.config
    if (upstream === undefined && split === undefined) return false
    const own = this.#demands.get(route)
    return [...this.#demands.values()].some((other) => other !== '' && other !== own)
  }

  /**
   * Throws a `GatewayError` to refuse.
   * @param routeOf the route that a path would have led to
   */
  check(route: R, path: string, routeOf: (path: string) => R | undefined): void {
    const respell = (segment: string): string => this.#spellings.get(segment) ?? segment
    const readings = readingsOf(path, respell, !isRegex(route.config.path))
    if (readings === undefined) throw ambiguous()
    for (const reading of readings) {
      const other = routeOf(reading)
      if (other === undefined || other === route) continue
      const demanded = this.#demands.get(other)
      if (demanded !== '' && demanded !== this.#demands.get(route)) throw ambiguous()
    }
  }
}
