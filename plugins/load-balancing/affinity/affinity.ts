import type { Balancer, Target } from '../../upstreams/contract.ts'
import { hasSession, type Sessions, withoutSession } from './sessions.ts'

/** The targets of an upstream that can be had now, over its tiers; read anew when one of its balancers was told. */
export class Eligible {
  readonly #list: () => readonly Target[]
  #now: ReadonlySet<Target> | undefined

  constructor(list: () => readonly Target[]) {
    this.#list = list
  }

  changed(): void {
    this.#now = undefined
  }

  has(target: Target): boolean {
    this.#now ??= new Set(this.#list())
    return this.#now.has(target)
  }
}

/**
 * A request of a session goes to the session's target as long as that is eligible, in whichever tier it stands, and
 * all others where the policy says.
 *
 * O(1) a pick, and O(N) once after a change.
 *
 * @param eligible shared by the balancers of an upstream
 */
export function withAffinity(inner: Balancer, sessions: Sessions, eligible: Eligible): Balancer {
  return {
    onTargets(candidates) {
      eligible.changed()
      inner.onTargets?.(candidates)
    },
    pick(candidates, request) {
      const { key } = request
      if (!hasSession(key)) return inner.pick(candidates, request)
      const target = sessions.targetOf(key)
      if (target !== undefined && !request.tried.has(target) && eligible.has(target)) return target
      return inner.pick(candidates, { ...request, key: withoutSession(key) })
    },
    onOutcome: (target, outcome) => inner.onOutcome?.(target, outcome),
  }
}
