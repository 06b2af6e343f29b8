/**
 * What a pick by key costs, in nanoseconds, with 3 and with 10,000 targets: `node bench/pick-keyed.ts`. With 10,000
 * it may cost three times as much. Zones and subsets are the registry's: with them a lease is taken and given back.
 */
import { roundRobin } from '../plugins/load-balancing/choose/round-robin.ts'
import { withSubset } from '../plugins/load-balancing/subset/subset.ts'
import { zoneAware } from '../plugins/load-balancing/zone/zone-aware.ts'
import type { Balancer, LeaseRequest, PolicyContext, Target } from '../plugins/upstreams/contract.ts'
import type { Division } from '../plugins/upstreams/division.ts'
import { Registry } from '../plugins/upstreams/registry.ts'
import { maglev, ringHash } from '../test/load-balancing/keyed.ts'
import { seededDice } from '../test/support/dice.ts'
import { type TestTarget, testTargets } from '../test/support/test-targets.ts'

const PICKS = 200_000
const ROUNDS = 15
/** Distinct keys: enough that no pick finds the last one's memory still warm. */
const KEYS = 20_000

const context: PolicyContext = { now: () => 0, random: seededDice(1) }
const ZONES = ['a', 'b', 'c']

interface Case {
  readonly name: string
  readonly create: () => Balancer
  /** Leases of an upstream that is divided in this way. */
  readonly divide?: Division
}

const bounded = () => ringHash(context, {})
const CASES: readonly Case[] = [
  { name: 'round-robin (to compare)', create: () => roundRobin(context) },
  { name: 'ring-hash, bounded', create: bounded },
  { name: 'ring-hash, unbounded', create: () => ringHash(context, { bounded: false }) },
  { name: 'maglev 65537, bounded', create: () => maglev(context, {}) },
  { name: 'maglev 65537, unbounded', create: () => maglev(context, { bounded: false }) },
  {
    name: 'maglev 1000003, unbounded',
    create: () => maglev(context, { bounded: false, tableSize: 1_000_003 }),
  },
  { name: 'lease by ring-hash', create: bounded, divide: () => [] },
  { name: 'and zones', create: bounded, divide: zoneAware({ zone: 'a', minHealthy: 0.7 }) },
  { name: 'and a subset of 20', create: bounded, divide: withSubset({ size: 20, instance: 7, of: 30 }) },
]

/** Picks as the registry does, lease and release included. */
function leasing(create: () => Balancer, divide: Division, targets: readonly Target[]): Balancer {
  const registry = new Registry(context, { main: { targets, capacity: 1e6 } })
  registry.defineBalancer('policy', create)
  registry.balance('main', 'policy', undefined, divide)
  const main = registry.upstream('main')
  return {
    onTargets: () => void main.eligible(),
    pick(_, request) {
      const lease = main.lease(request)
      if (typeof lease === 'string') throw new Error(`no lease: ${lease}`)
      lease.release()
      return lease.target
    },
  }
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1] as number
}

function measure({ create, divide }: Case, count: number): { pick: number; build: number } {
  const targets = testTargets(count).map((target, i): TestTarget => {
    const origin = `http://10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080`
    return { ...target, id: origin, origin, zone: ZONES[i % ZONES.length] as string, inflight: i % 3 }
  }) as [TestTarget, ...TestTarget[]]
  const balancer = divide === undefined ? create() : leasing(create, divide, targets)
  const began = performance.now()
  balancer.onTargets?.(targets)
  const build = performance.now() - began
  const tried: ReadonlySet<Target> = new Set()
  const requests: LeaseRequest[] = Array.from({ length: KEYS }, (_, i) => ({
    key: `user-${i * 7919}`,
    repeatable: true,
    tried,
  }))
  const times: number[] = []
  let seen = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    for (let i = 0; i < PICKS; i++) {
      seen += balancer.pick(targets, requests[i % KEYS] as LeaseRequest).weight
    }
    times.push(((performance.now() - start) / PICKS) * 1e6)
  }
  if (seen === 0) throw new Error('nothing was picked')
  return { pick: median(times), build }
}

console.log('| policy | 3 targets | 10,000 targets | ratio | first tables at 10,000 |')
console.log('| --- | ---: | ---: | ---: | ---: |')
for (const one of CASES) {
  measure(one, 3)
  const few = measure(one, 3)
  const many = measure(one, 10_000)
  const ratio = (many.pick / few.pick).toFixed(1)
  console.log(
    `| ${one.name} | ${few.pick.toFixed(0)} ns | ${many.pick.toFixed(0)} ns | ${ratio} | ${many.build.toFixed(0)} ms |`,
  )
}
