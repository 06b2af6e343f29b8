import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import type { Lease, Target } from '../../plugins/upstreams/contract.ts'
import { seededDice } from '../support/dice.ts'
import { opinion, originOf, registryOf, request } from './support.ts'

const CAPACITY = 3
const index = fc.nat(5)
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('lease' as const), tried: fc.array(index) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constantFrom('release', 'settle', 'drain', 'undrain', 'remove', 'veto', 'veto', 'allow'),
      index,
    }),
  },
  fc.record({ do: fc.constant('share' as const), index, share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ do: fc.constant('weight' as const), index, weight: fc.nat(3) }),
  fc.record({ do: fc.constant('add' as const), index, tier: fc.nat(2) }),
)

it('whatever happens, counts are right and nobody is leased who may not be', async () => {
  const seen = { leases: 0, empty: 0, overloaded: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 60, size: 'max' }),
      fc.nat(1000),
      async (operations, seed) => {
        const { registry, users } = registryOf([0, 0, 1], { capacity: CAPACITY, random: seededDice(seed) })
        const { source, vetoed, shares } = opinion()
        registry.addHealthSource(source)
        const open = new Map<Lease, boolean>()
        const everyone = new Set(users.targets)
        const promises: Promise<unknown>[] = []
        const at = (i: number): Target | undefined => users.targets[i]

        for (const operation of operations) {
          const target = 'index' in operation ? at(operation.index) : undefined
          const lease = 'index' in operation ? [...open.keys()][operation.index] : undefined
          switch (operation.do) {
            case 'lease': {
              const tried = operation.tried.flatMap((i) => at(i) ?? [])
              const got = users.lease(request(tried))
              if (typeof got === 'string') {
                seen[got]++
                const usable = users.targets.filter((one) => !one.draining && !vetoed.has(one))
                if (got === 'empty') assert.equal(usable.length, 0)
                break
              }
              seen.leases++
              open.set(got, true)
              assert.ok(users.targets.includes(got.target), 'a removed target was leased')
              assert.equal(got.target.draining, false, 'a draining target was leased')
              if (vetoed.has(got.target)) {
                const left = users.targets.filter(
                  (one) =>
                    !one.draining &&
                    !vetoed.has(one) &&
                    one.weight > 0 &&
                    one.share > 0 &&
                    !tried.includes(one),
                )
                assert.ok(tried.length > 0 && left.length === 0, 'a vetoed target was leased before others')
              }
              assert.ok(got.target.share > 0, 'a target without a share was leased')
              break
            }
            case 'release':
              lease?.release()
              if (lease !== undefined) open.delete(lease)
              break
            case 'settle':
              lease?.settle({ kind: 'answered', status: 200, latencyMs: 1 })
              break
            case 'drain':
            case 'remove':
              if (target !== undefined) promises.push(users[operation.do](target))
              break
            case 'undrain':
              if (target !== undefined) users.undrain(target)
              break
            case 'veto':
            case 'allow':
              if (target === undefined) break
              if (operation.do === 'veto') vetoed.add(target)
              else vetoed.delete(target)
              registry.changed(target)
              break
            case 'share':
              if (target === undefined) break
              shares.set(target, operation.share)
              registry.changed(target)
              break
            case 'weight':
              if (target !== undefined) users.setWeight(target, operation.weight)
              break
            case 'add': {
              const origin = originOf(operation.index)
              if (users.targets.some((one) => one.origin === origin)) break
              everyone.add(users.add({ origin, tier: operation.tier }))
            }
          }
          await Promise.resolve()
          for (const one of everyone) {
            const mine = [...open.keys()].filter((lease) => lease.target === one).length
            assert.equal(one.inflight, mine, `in-flight of ${one.origin}`)
            assert.ok(one.inflight <= CAPACITY, `${one.origin} is over its capacity`)
          }
        }

        for (const lease of open.keys()) lease.release()
        for (const one of everyone) assert.equal(one.inflight, 0)
        await Promise.all(promises)
      },
    ),
    { seed: 4, numRuns: 400 },
  )
  // A test that never gets a lease, or never fails to, has tested nothing.
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 50, `${what}: ${times} times only`)
})
