import type { RouteConfig } from '../config/define.ts'
import { shedError } from './errors.ts'
import { type Scope, scopeKey } from './rules/rule.ts'

/** What of a route's requests is refused to spare what is behind it. */
export class Shedding {
  readonly #shares = new Map<string, number>()
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

  /** @param share 0 to 1; 0 is nothing */
  set(scope: Scope, share: number): void {
    if (share === 0) this.#shares.delete(scopeKey(scope))
    else this.#shares.set(scopeKey(scope), share)
  }

  /**
   * Asked once per route: what refuses, by throwing, the requests that are too many. Undefined for a route that forwards
   * nothing.
   */
  guard(
    { name, config }: { readonly name: string; readonly config: Pick<RouteConfig, 'upstream' | 'split'> },
    retryAfterSeconds: number,
  ): (() => void) | undefined {
    const { upstream, split = upstream === undefined ? {} : { [upstream]: 1 } } = config
    const whole = Object.values(split).reduce((sum, share) => sum + share, 0)
    if (whole === 0) return undefined
    const refuses = this.#decider(name, split, whole)
    const error = shedError(retryAfterSeconds)
    this.#counts.set(name, this.#counts.get(name) ?? 0)
    return () => {
      if (!refuses()) return
      this.#counts.set(name, (this.#counts.get(name) as number) + 1)
      throw error
    }
  }

  #decider(route: string, split: Readonly<Record<string, number>>, whole: number): () => boolean {
    const own = scopeKey({ kind: 'route', name: route })
    const behind = Object.entries(split).map(
      ([name, share]) => [scopeKey({ kind: 'upstream', name }), share / whole] as const,
    )
    return () => {
      if (this.#shares.size === 0) return false
      // For an upstream that is one of several, in proportion: which one it will be is not known yet.
      let shed = 0
      for (const [key, part] of behind) shed += part * (this.#shares.get(key) ?? 0)
      const passes = (1 - (this.#shares.get(own) ?? 0)) * (1 - shed)
      return passes < 1 && this.#random() >= passes
    }
  }
}
