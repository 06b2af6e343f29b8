import type { Measures, Traffic } from '../../upstreams/measures.ts'
import type { Bounds } from './bounds.ts'
import type { TrafficCounts } from './traffic.ts'

type Counted = ReadonlyMap<string, { readonly traffic: TrafficCounts }>

function found(kind: string, all: Counted, name: string, complete?: () => void): Traffic {
  if (!all.has(name)) complete?.()
  const one = all.get(name)
  if (one === undefined) throw new RangeError(`no ${kind} is named "${name}"`)
  return one.traffic
}

class Total implements Traffic {
  readonly #all: Counted

  constructor(all: Counted) {
    this.#all = all
  }

  get requests(): number {
    return this.#sum((traffic) => traffic.requests)
  }

  get errors(): number {
    return this.#sum((traffic) => traffic.errors)
  }

  slowerThan(milliseconds: number): number {
    return this.#sum((traffic) => traffic.slowerThan(milliseconds))
  }

  #sum(of: (traffic: Traffic) => number): number {
    let sum = 0
    for (const { traffic } of this.#all.values()) sum += of(traffic)
    return sum
  }
}

/**
 * @param routes those of the config
 * @param complete adds those that are not there yet
 */
export function measuresOf(
  bounds: Bounds,
  routes: Counted,
  upstreams: Counted,
  complete: () => void,
): Measures {
  const total = new Total(routes)
  return {
    threshold: (milliseconds) => bounds.include(milliseconds),
    route: (name) => found('route', routes, name, complete),
    upstream: (name) => found('upstream', upstreams, name),
    total: () => total,
  }
}
