import type { Measures, Traffic } from '../../upstreams/measures.ts'
import type { Counter, Scope } from '../rules/rule.ts'
import type { Sources } from './counters.ts'

function trafficOf(measures: Measures, scope: Scope): Traffic {
  if (scope.kind === 'gateway') return measures.total()
  return scope.kind === 'route' ? measures.route(scope.name) : measures.upstream(scope.name)
}

/**
 * The counters of rules, read from what the metrics count.
 * @param rateLimited requests that a rate limit refused, by route
 */
export function countersFrom(
  measures: Measures,
  rateLimited: ReadonlyMap<string, number>,
): Sources['counter'] {
  const refused = (scope: Scope) => (): number => {
    if (scope.kind === 'route') return rateLimited.get(scope.name) ?? 0
    let sum = 0
    for (const count of rateLimited.values()) sum += count
    return sum
  }
  return (scope: Scope, counter: Counter) => {
    if (counter === 'rate-limited') return refused(scope)
    // Not before the first round: who counts may learn of the routes as late as when the server is ready.
    let found: Traffic | undefined
    return () => {
      found ??= trafficOf(measures, scope)
      return typeof counter === 'object' ? found.slowerThan(counter.slowerThan) : found[counter]
    }
  }
}
