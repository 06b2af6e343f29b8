import assert from 'node:assert/strict'
import type { Lease, LeaseRequest, Target } from '../../plugins/upstreams/contract.ts'
import type { HealthSource } from '../../plugins/upstreams/health-source.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { seededDice, virtualClock } from '../support/dice.ts'

/** One upstream, "users", of as many targets as there are tiers given, in a registry of its own. */
export function registryOf(
  tiers: readonly number[],
  {
    capacity = 100,
    random = seededDice(1),
    panicThreshold = 0,
  }: { capacity?: number; random?: () => number; panicThreshold?: number } = {},
) {
  const clock = virtualClock()
  const targets = tiers.map((tier, i) => ({ origin: originOf(i), tier }))
  const specs = { users: { targets, capacity, panicThreshold } }
  // Faults of policies cost no request: what they are told with is another test's business.
  const registry = new Registry({ now: clock.now, random }, specs, () => {})
  return { registry, users: registry.upstream('users'), clock }
}

export function originOf(index: number): string {
  return `http://10.0.${Math.floor(index / 250)}.${(index % 250) + 1}:8080`
}

export function request(tried: Iterable<Target> = []): LeaseRequest {
  return { key: '', repeatable: true, tried: new Set(tried) }
}

/** The lease, where one must be had. */
export function leased(lease: ReturnType<ReturnType<Registry['upstream']>['lease']>): Lease {
  assert.notEqual(typeof lease, 'string', `there is no lease: ${String(lease)}`)
  return lease as Lease
}

/** Takes a lease and gives it back at once; the number of the target that it was for. */
export function pickOnce(upstream: ReturnType<Registry['upstream']>): number {
  const lease = leased(upstream.lease(request()))
  lease.release()
  return upstream.targets.indexOf(lease.target)
}

/** How often each target is picked in `n` leases, of which none stays out. */
export function countPicks(upstream: ReturnType<Registry['upstream']>, n: number): number[] {
  const counts = upstream.targets.map(() => 0)
  for (let i = 0; i < n; i++) counts[pickOnce(upstream)]!++
  return counts
}

/** A health source that says what it is told to. */
export function opinion(name = 'opinion') {
  const vetoed = new Set<Target>()
  const shares = new Map<Target, number>()
  const heard: [Target, string][] = []
  const source: HealthSource = {
    name,
    allows: (target) => !vetoed.has(target),
    share: (target) => shares.get(target) ?? 1,
    onOutcome: (target, { kind }) => heard.push([target, kind]),
  }
  return { source, vetoed, shares, heard }
}
