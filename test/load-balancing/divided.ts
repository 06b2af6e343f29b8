/** An upstream that is divided (zones, subsets), with health sources that say what the test sets. */
import type { Balancer, LeaseRequest, PolicyContext, Target } from '../../plugins/upstreams/contract.ts'
import type { Division } from '../../plugins/upstreams/division.ts'
import type { Veto } from '../../plugins/upstreams/health-source.ts'
import { inTurn } from '../../plugins/upstreams/in-turn.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { testRequest } from '../support/test-targets.ts'
import { leased } from '../upstreams/support.ts'

interface Fleet {
  readonly targets: readonly { readonly zone?: string; readonly weight?: number; readonly tier?: number }[]
  readonly divide: Division
  /** Default in turn. */
  readonly create?: (context: PolicyContext) => Balancer
  readonly seed?: number
}

export function divided({ targets, divide, create = inTurn, seed = 1 }: Fleet) {
  const clock = virtualClock()
  const specs = targets.map((one, i) => ({ origin: `http://10.0.${i >> 8}.${i & 255}:8080`, ...one }))
  const registry = new Registry(
    { now: clock.now, random: seededDice(seed) },
    { main: { targets: specs, capacity: 1e6, panicThreshold: 0.5 } },
  )
  registry.defineBalancer('policy', create)
  registry.balance('main', 'policy', undefined, divide)
  const main = registry.upstream('main')
  const vetoes = new Map<Target, Veto>()
  const shares = new Map<Target, number>()
  registry.addHealthSource({
    name: 'test',
    allows: (target) => !vetoes.has(target),
    veto: (target) => vetoes.get(target) as Veto,
    share: (target) => shares.get(target) ?? 1,
    trusts: (target) => !vetoes.has(target),
  })
  // A first snapshot: targets know how they stand.
  main.eligible()
  const at = (i: number) => main.targets[i] as Target
  const changed = (all: readonly Target[]) => {
    for (const target of all) registry.changed(target)
  }
  const pick = (more: Partial<LeaseRequest> = {}): Target => {
    const lease = leased(main.lease({ ...testRequest(), ...more }))
    lease.release()
    return lease.target
  }
  return {
    clock,
    registry,
    main,
    at,
    veto(all: readonly Target[], kind: Veto = 'unhealthy') {
      for (const target of all) vetoes.set(target, kind)
      changed(all)
    },
    allow(all: readonly Target[]) {
      for (const target of all) vetoes.delete(target)
      changed(all)
    },
    share(all: readonly Target[], share: number) {
      for (const target of all) shares.set(target, share)
      changed(all)
    },
    pick,
    /** Of `n` requests those that go to a target like this. */
    count(
      n: number,
      wanted: (target: Target) => boolean,
      more: (i: number) => Partial<LeaseRequest> = () => ({}),
    ) {
      let count = 0
      for (let i = 0; i < n; i++) if (wanted(pick(more(i)))) count++
      return count
    },
  }
}
