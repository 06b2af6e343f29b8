import type { Fleet, PolicyChoice } from './fleet.ts'
import type { Balancers } from './gateway.ts'
import { labelOf, problemOf } from './policies.ts'

/** Options that are worth a line of their own beside the defaults; those whose balancer is not there are left out. */
const VARIANTS: readonly PolicyChoice[] = [
  { policy: 'p2c', load: 'ewma' },
  { policy: 'prequal', probe: { path: '/load' } },
]

/** Whatever is defined, each with its default options, and the variants. */
export function everyPolicy(balancers: Balancers): PolicyChoice[] {
  return [...balancers.keys(), ...VARIANTS].filter((choice) => problemOf(choice, balancers) === undefined)
}

/**
 * What to run against a fleet if nobody says which.
 *
 * @throws Error if the fleet names a policy that is not there
 */
export function lineUp(fleet: Fleet, balancers: Balancers): readonly PolicyChoice[] {
  if (fleet.policies === undefined) return everyPolicy(balancers)
  for (const choice of fleet.policies) {
    const problem = problemOf(choice, balancers)
    if (problem !== undefined) throw new Error(problem)
  }
  return fleet.policies
}

/** The order that the colours of plots go by. */
export function labels(balancers: Balancers, more: readonly PolicyChoice[] = []): string[] {
  return [...new Set([...everyPolicy(balancers), ...more].map(labelOf))]
}
