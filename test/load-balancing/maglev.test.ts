import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fillTable, MaglevTable } from '../../plugins/load-balancing/hash/maglev-table.ts'
import { isPrime, nextPrime } from '../../plugins/load-balancing/hash/primes.ts'
import type { Candidates, Target } from '../../plugins/upstreams/contract.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { seededDice } from '../support/dice.ts'
import { assertDistributed } from '../support/statistics.ts'
import { testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { maglev } from './keyed.ts'

const context = (seed = 1) => ({ now: () => 0, random: seededDice(seed) })

function weights(...list: readonly number[]): Candidates {
  return list.map((weight, i) => testTarget(i + 1, { weight })) as unknown as Candidates
}

/** Whose each entry is. */
function ownersOf(candidates: Candidates, size: number): (Target | undefined)[] {
  const table = new MaglevTable(size)
  table.update(candidates)
  return Array.from(table.owners, (owner) => table.members[owner])
}

function entriesOf(candidates: Candidates, size: number): number[] {
  const owners = ownersOf(candidates, size)
  return candidates.map((target) => owners.filter((owner) => owner === target).length)
}

balancerContract('maglev without a bound', (at) => maglev(at, { bounded: false, tableSize: 1009 }))

describe('maglev: consistent hashing by a table', () => {
  it('fills the table as the paper’s example does, before and after B1 leaves', () => {
    assert.deepEqual([...fillTable(7, [3, 0, 3], [4, 2, 1], [1, 1, 1])], [1, 0, 1, 0, 2, 2, 0])
    assert.deepEqual([...fillTable(7, [3, 3], [4, 1], [1, 1])], [0, 0, 0, 0, 1, 1, 1])
  })

  it('gives targets of one weight the same number of entries, but for one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.constantFrom(61, 251, 1009), (n, size) => {
        const entries = entriesOf(testTargets(n), size)
        assert.ok(Math.max(...entries) - Math.min(...entries) <= 1, entries.join(' '))
      }),
      { seed: 5, numRuns: 60 },
    )
  })

  it('gives each its entries by weight, to within a turn of each, and 0 none', () => {
    const weight = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.double({ min: 0.1, max: 9, noNaN: true }))
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 12 }), (list) => {
        fc.pre(list.some((one) => one > 0))
        const sum = list.reduce((a, b) => a + b)
        for (const [i, entries] of entriesOf(weights(...list), 4099).entries()) {
          const part = (list[i] as number) / sum
          if (part === 0) assert.equal(entries, 0)
          // Each has a turn of its own in the first round, by which it may be ahead of the others or they of it.
          else
            assert.ok(
              Math.abs(entries - 4099 * part) <= 1 + Math.max(1, list.length * part),
              `${entries}, not ${4099 * part}`,
            )
        }
      }),
      { seed: 6, numRuns: 100 },
    )
    assert.deepEqual(entriesOf(weights(1e6, 1), 1009), [1008, 1])
    assert.deepEqual(entriesOf(weights(0, 0), 7).toSorted(), [3, 4], 'where all are 0 they count alike')
  })

  it('moves few keys besides those of who left', () => {
    // The paper's figure 12: the more entries for each target, the fewer.
    for (const [n, size, most] of [
      [10, 65_537, 0.01],
      [100, 65_537, 0.01],
      [100, 10_007, 0.03],
    ] as const) {
      const all = testTargets(n)
      const before = ownersOf(all, size)
      const moved: number[] = []
      for (let gone = 0; gone < 5; gone++) {
        const rest = all.filter((_, i) => i !== gone * 2) as unknown as Candidates
        const after = ownersOf(rest, size)
        const extra = before.filter(
          (owner, entry) => owner !== all[gone * 2] && owner !== after[entry],
        ).length
        moved.push(extra / size)
      }
      const mean = moved.reduce((a, b) => a + b) / moved.length
      assert.ok(mean < most, `${n} targets, ${size} entries: ${mean} of the keys move besides`)
      assert.ok(mean > 0.0001, 'if none moved at all, this would be no Maglev')
    }
  })

  it('is the same whichever way the targets are told, and comes back as it was', () => {
    const all = testTargets(20)
    const table = new MaglevTable(65_537)
    table.update(all)
    const { owners, members } = table
    table.update(all.slice(1) as unknown as Candidates)
    assert.notDeepEqual(table.owners, owners)
    table.update(all.toReversed() as unknown as Candidates)
    assert.equal(table.owners, owners, 'the table of a set that comes back is kept')
    assert.deepEqual(table.members, members)
    all[3]!.weight = 2
    table.update(all)
    assert.notDeepEqual(table.owners, owners, 'a change of weight was overlooked')
  })

  it('spreads keys evenly', () => {
    const targets = testTargets(7)
    const balancer = maglev(context(), { bounded: false })
    balancer.onTargets?.(targets)
    const n = 50_000
    const seen = new Array<number>(7).fill(0)
    for (let i = 0; i < n; i++)
      seen[targets.indexOf(balancer.pick(targets, testRequest(`user/${i}`)) as never)]!++
    assertDistributed(seen, new Array(7).fill(n / 7))
  })

  it('places a request without a key by chance, as the weights say', () => {
    const candidates = weights(5, 3, 1)
    const balancer = maglev(context(), { bounded: false })
    balancer.onTargets?.(candidates)
    const n = 30_000
    const seen = [0, 0, 0]
    for (let i = 0; i < n; i++) seen[candidates.indexOf(balancer.pick(candidates, testRequest('')))]!++
    assertDistributed(seen, [(n * 5) / 9, (n * 3) / 9, n / 9])
  })

  it('goes on to another target with a request that was tried, always the same one', () => {
    const all = testTargets(5)
    const balancer = maglev(context(), { bounded: false })
    balancer.onTargets?.(all)
    const tried = new Set<Target>()
    for (let i = 0; i < all.length; i++) {
      const pick = () => balancer.pick(all, { key: 'k', repeatable: true, tried })
      const target = pick()
      assert.ok(!tried.has(target))
      assert.equal(pick(), target)
      tried.add(target)
    }
    assert.equal(tried.size, all.length)
  })

  it('refuses a table that is no prime, and says the next one', () => {
    for (const [tableSize, message] of [
      [65_536, /tableSize: 65536 is even, and the table needs a prime; the next is 65537/],
      [9, /tableSize: 9 is no prime.*the next is 11/],
      [7.5, /tableSize: 7.5 is no whole number.*the next is 11/],
      [1, /must be a prime from 2 to 5000011, is 1/],
      [1e9, /must be a prime from 2 to 5000011/],
      ['65537', /must be a prime from 2 to 5000011, is "65537"/],
    ] as const) {
      assert.throws(() => maglev(context(), { tableSize }), message)
    }
    assert.doesNotThrow(() => maglev(context(), { tableSize: 2 }))
    assert.doesNotThrow(() => maglev(context(), { tableSize: 5_000_011 }))
  })

  it('knows primes', () => {
    const primes = Array.from({ length: 30 }, (_, n) => n).filter(isPrime)
    assert.deepEqual(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29])
    assert.deepEqual([-3, 0, 8, 7, 65_536, 25].map(nextPrime), [2, 2, 11, 7, 65_537, 29])
  })
})
