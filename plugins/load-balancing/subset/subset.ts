import type { Balancer, Candidates, LeaseRequest, PolicyContext, Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'
import { type ApertureOptions, apertureOf } from './aperture.ts'

/** How often the policy is asked at most while it names targets of which this gateway uses a part. */
const PICKS = 8

/** One that the aperture cuts through. */
interface Edge {
  readonly target: Target
  /** Of what the others get. */
  readonly part: number
  readonly seed: number
}

/**
 * Uses a subset of the targets only, so that very many gateways and targets need not all be connected. A target that
 * belongs to it in part is passed over for the rest, whatever the policy; by the request's key if there is one, so that
 * a key stays where it is.
 *
 * A pick costs the policy's own, O(N log N) when targets change.
 */
export function withSubset(
  { random }: Pick<PolicyContext, 'random'>,
  inner: Balancer,
  options: ApertureOptions,
): Balancer {
  let told: Candidates | undefined
  let list: Candidates
  let edges: readonly Edge[] = []

  function onTargets(candidates: Candidates): void {
    told = candidates
    const { targets, parts } = apertureOf(candidates, options)
    const most = parts.reduce((a, b) => Math.max(a, b), 0)
    list = targets as unknown as Candidates
    edges = targets.flatMap((target, i) => {
      const part = (parts[i] as number) / most
      return part < 1 ? [{ target, part, seed: murmur3(target.id) }] : []
    })
    inner.onTargets?.(list)
  }

  /** Undefined for those that are used whole. There are two edges at most. */
  function edgeAt(target: Target): Edge | undefined {
    for (const edge of edges) if (edge.target === target) return edge
    return undefined
  }

  function dice({ key }: LeaseRequest, { seed }: Edge): number {
    return key === '' ? random() : murmur3(key, seed) / 2 ** 32
  }

  return {
    onTargets,
    pick(candidates, request) {
      if (candidates !== told) onTargets(candidates)
      let target = inner.pick(list, request)
      if (edges.length === 0) return target
      let asked = request
      for (let picks = 1; picks < PICKS; picks++) {
        const edge = edgeAt(target)
        if (edge === undefined || request.tried.has(target)) return target
        // One throw a target: a policy that insists on it cannot wear its part down.
        if (!asked.tried.has(target)) {
          if (dice(request, edge) < edge.part) return target
          asked = { ...asked, tried: new Set(asked.tried).add(target) }
        }
        target = inner.pick(list, asked)
      }
      return target
    },
    onOutcome: (target, outcome) => inner.onOutcome?.(target, outcome),
  }
}
