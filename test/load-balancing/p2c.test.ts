import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type P2cOptions, p2c } from '../../plugins/load-balancing/choose/p2c.ts'
import type { Candidates } from '../../plugins/upstreams/contract.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { seededDice } from '../support/dice.ts'
import { assertDistributed, assertShare } from '../support/statistics.ts'
import { type TestTarget, testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { exponential, failsFast, refusesConnections, runFleet } from './fleet.ts'

const N = 20_000
const LOADS = ['inflight', 'ewma', 'peak-ewma'] as const
const optionsOf = (load: P2cOptions['load']): P2cOptions => ({ load, decay: 10_000 })

for (const load of LOADS) balancerContract(`p2c by ${load}`, (context) => p2c(context, optionsOf(load)))

describe('power of two choices', () => {
  for (const load of LOADS) {
    describe(`by ${load}`, () => {
      const begin = (candidates: Candidates, seed = 1) => {
        const balancer = p2c({ now: () => 0, random: seededDice(seed) }, optionsOf(load))
        balancer.onTargets?.(candidates)
        return balancer
      }

      it('takes equal ones alike', () => {
        const candidates = testTargets(7)
        const balancer = begin(candidates)
        const seen = candidates.map(() => 0)
        for (let i = 0; i < N; i++)
          seen[candidates.indexOf(balancer.pick(candidates, testRequest()) as TestTarget)]!++
        assertDistributed(seen, new Array(7).fill(N / 7))
      })

      it('without load keeps the proportions of the weights, and never picks a weight of 0', () => {
        const candidates = [6, 3, 1, 0].map((weight, i) =>
          testTarget(i + 1, { weight }),
        ) as unknown as Candidates
        const balancer = begin(candidates, 2)
        const seen = candidates.map(() => 0)
        for (let i = 0; i < N; i++) seen[candidates.indexOf(balancer.pick(candidates, testRequest()))]!++
        assert.equal(seen.pop(), 0)
        assertDistributed(seen, [0.6 * N, 0.3 * N, 0.1 * N])
      })

      it('reads the figures of two targets, with 10,000 of them as with three', () => {
        for (const n of [3, 10_000]) {
          const touched = new Set<number>()
          let reads = 0
          const candidates = testTargets(n).map((target, i) =>
            Object.defineProperty(target, 'inflight', {
              get() {
                touched.add(i)
                reads++
                return 0
              },
            }),
          ) as unknown as Candidates
          const balancer = begin(candidates, 3)
          for (let i = 0; i < 500; i++) balancer.pick(candidates, testRequest())
          // By requests under way, who has none needs no other to compare with.
          assert.equal(reads, load === 'inflight' ? 500 : 1000)
        }
      })

      for (const [name, failing] of Object.entries({ failsFast, refusesConnections })) {
        it(`a target that fails at once attracts nothing (${name})`, () => {
          const well = new Array(5).fill(exponential(50))
          const { sent } = runFleet(p2c, optionsOf(load), {
            targets: [failing, ...well],
            requests: N,
            everyMs: 3,
          })
          assert.ok((sent[0] as number) < N / 6 / 5, `${sent[0]} of ${N}, where a sixth would be its share`)
          assert.ok((sent[0] as number) > 0, 'it is tried now and then')
        })
      }

      it('a target with an error now and then keeps most of its share', () => {
        const flaky: typeof failsFast = (dice, target, now) =>
          dice() < 0.001 ? failsFast(dice, target, now) : exponential(50)(dice, target, now)
        const well = new Array(5).fill(exponential(50))
        const { sent } = runFleet(p2c, optionsOf(load), {
          targets: [flaky, ...well],
          requests: 2 * N,
          everyMs: 3,
        })
        assert.ok((sent[0] as number) > (2 * N) / 6 / 3, `${sent[0]} of ${2 * N}`)
      })
    })
  }

  it('of many targets, half of them with more to do, takes such a one a quarter of the time', () => {
    for (const load of ['inflight', 'peak-ewma'] as const) {
      const candidates = testTargets(1000)
      for (const [i, target] of candidates.entries()) target.inflight = i % 2
      const balancer = p2c({ now: () => 0, random: seededDice(4) }, optionsOf(load))
      balancer.onTargets?.(candidates)
      let busy = 0
      for (let i = 0; i < N; i++) busy += (balancer.pick(candidates, testRequest()) as TestTarget).inflight
      assertShare(busy, N, (500 * 499) / (1000 * 999))
    }
  })

  it('by latency avoids a slow target, and by requests in flight does so once they pile up', () => {
    const targets = [exponential(200), ...new Array(5).fill(exponential(20))]
    const shares = LOADS.map((load) => {
      const { sent } = runFleet(p2c, optionsOf(load), { targets, requests: N, everyMs: 6 })
      return (sent[0] as number) / N
    })
    const [inflight, ewma, peakEwma] = shares as [number, number, number]
    assert.ok(inflight < 1 / 6 && inflight > 0.02, `inflight ${inflight}`)
    assert.ok(ewma < 0.01 && ewma > 0, `ewma ${ewma}`)
    assert.ok(peakEwma < 0.01 && peakEwma > 0, `peak-ewma ${peakEwma}`)
  })
})
