import type { Target, Upstream, UpstreamRegistry } from '../../upstreams/contract.ts'
import type { UpstreamEvent } from '../../upstreams/events.ts'
import type { Gauge, Scope } from '../rules/rule.ts'

/** What is told of an upstream as it is now; undefined where it cannot be. */
export interface UpstreamFacts {
  readonly usable: number | undefined
  readonly expected: number | undefined
  readonly inflight: number
  readonly capacity: number | undefined
}

/**
 * In one pass over the targets. `expected` are those of the tiers in use and of the tiers before them, as a tier in
 * reserve is no sign of trouble. As long as one of them waits for its first check, how many can be used is not known.
 * @param capacity what one target may have under way
 * @param unchecked whether nothing is known of a target yet
 */
export function factsOf(
  upstream: Pick<Upstream, 'targets' | 'eligible'>,
  capacity: number,
  unchecked: (target: Target) => boolean,
): UpstreamFacts {
  const eligible = upstream.eligible()
  let lastTier = 0
  for (const { tier } of eligible) lastTier = Math.max(lastTier, tier)
  const all = eligible.length === upstream.targets.length
  const known = new Set(all ? [] : eligible)
  let expected = 0
  let inflight = 0
  let waits = false
  for (const target of upstream.targets) {
    inflight += target.inflight - target.tunnels
    if (target.draining) continue
    if (target.tier <= lastTier) expected++
    // Asked of those only that cannot be used: it takes asking every source.
    waits ||= !all && !known.has(target) && unchecked(target)
  }
  if (waits) return { usable: undefined, expected: undefined, inflight, capacity: undefined }
  return { usable: eligible.length, expected, inflight, capacity: eligible.length * capacity }
}

/** Which breakers are open and which upstreams are in panic, as told by events. */
export class Heard {
  readonly #open = new Map<string, Set<Target | undefined>>()
  readonly #panic = new Set<string>()

  hear({ name, upstream, target }: Pick<UpstreamEvent, 'name' | 'upstream' | 'target'>): void {
    if (name === 'panic') this.#panic.add(upstream)
    else if (name === 'calm') this.#panic.delete(upstream)
    else if (name === 'breaker-opened') {
      const open = this.#open.get(upstream) ?? new Set()
      this.#open.set(upstream, open.add(target))
      // Half-open is not closed: the trouble is not known to be over.
    } else if (name === 'breaker-closed') this.#open.get(upstream)?.delete(target)
  }

  /** A target has gone, and its breaker with it. */
  forget(target: Target): void {
    this.#open.get(target.upstream)?.delete(target)
  }

  openBreakers(upstream: string): number {
    return this.#open.get(upstream)?.size ?? 0
  }

  panic(upstream: string): number {
    return this.#panic.has(upstream) ? 1 : 0
  }
}

/** The gauges of rules, told from the registry. */
export function gaugesOf(
  registry: Pick<UpstreamRegistry, 'upstreams' | 'opinionsOn'>,
  heard: Heard,
  capacityOf: (upstream: string) => number,
  certificate: () => number | undefined,
): (scope: Scope, gauge: Gauge) => number | undefined {
  const unchecked = (target: Target): boolean =>
    registry.opinionsOn(target).some(({ veto }) => veto === 'unchecked')
  const one = (upstream: Upstream, gauge: Exclude<Gauge, 'certificate'>): number | undefined => {
    if (gauge === 'open-breakers') return heard.openBreakers(upstream.name)
    const facts = factsOf(upstream, capacityOf(upstream.name), unchecked)
    // Panic begins and ends when a snapshot is built, which asking for what is eligible sees to.
    return gauge === 'panic' ? heard.panic(upstream.name) : facts[gauge]
  }
  return (scope, gauge) => {
    if (gauge === 'certificate') return certificate()
    const { upstreams } = registry
    if (scope.kind === 'upstream') {
      const upstream = upstreams.get(scope.name)
      return upstream === undefined ? undefined : one(upstream, gauge)
    }
    let sum = 0
    for (const upstream of upstreams.values()) {
      const value = one(upstream, gauge)
      // A part of the sum would be too little.
      if (value === undefined) return undefined
      sum += value
    }
    return sum
  }
}
