import type { RouteConfig } from '../config/define.ts'
import { shedError } from './errors.ts'
import type { Scope } from './rules/rule.ts'

/** What of a route's requests is refused to spare what is behind it. */
export class Shedding {
  readonly #ofRoute = new Map<string, number>()
  readonly #ofUpstream = new Map<string, number>()
  readonly #counts = new Map<string, number>()
  readonly #random: () => number

  /** @param random uniform in [0, 1) */
  constructor(random: () => number) {
    this.#random = random
  }

  /** Requests refused so far, by route. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /**
   * @param scope a route or an upstream: of the whole gateway the config allows none
   * @param share 0 to 1; 0 is nothing
   */
  set(scope: Scope, share: number): void {
    if (scope.kind === 'gateway') return
    const shares = scope.kind === 'route' ? this.#ofRoute : this.#ofUpstream
    if (share === 0) shares.delete(scope.name)
    else shares.set(scope.name, share)
  }

  /**
   * Asked once per route: what refuses, by throwing, the requests that are too many. Undefined for a route that forwards
   * nothing.
   * @param parts what part of its requests goes to each upstream now
   */
  guard(
    { name, config }: { readonly name: string; readonly config: Pick<RouteConfig, 'upstream' | 'split'> },
    parts: () => ReadonlyMap<string, number>,
    retryAfterSeconds: number,
  ): (() => void) | undefined {
    if (config.upstream === undefined && config.split === undefined) return undefined
    const error = shedError(retryAfterSeconds)
    this.#counts.set(name, this.#counts.get(name) ?? 0)
    return () => {
      if (!this.#refuses(name, parts)) return
      this.#counts.set(name, (this.#counts.get(name) as number) + 1)
      throw error
    }
  }

  #refuses(route: string, parts: () => ReadonlyMap<string, number>): boolean {
    if (this.#ofRoute.size === 0 && this.#ofUpstream.size === 0) return false
    // For an upstream that is one of several, in proportion: which one it will be is not known yet.
    let shed = 0
    for (const [upstream, part] of parts()) shed += part * (this.#ofUpstream.get(upstream) ?? 0)
    const passes = (1 - (this.#ofRoute.get(route) ?? 0)) * (1 - shed)
    return passes < 1 && this.#random() >= passes
  }
}
