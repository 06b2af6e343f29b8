/** Policies that look at load: targets that are equally fast get their parts by weight, however much there is to do. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { leastRequests } from '../../plugins/load-balancing/choose/least-requests.ts'
import { p2c } from '../../plugins/load-balancing/choose/p2c.ts'
import { Prequal } from '../../plugins/load-balancing/choose/prequal.ts'
import { Sampler } from '../../plugins/load-balancing/sample/sampler.ts'
import type { BalancerFactory, Candidates } from '../../plugins/upstreams/contract.ts'
import { seededDice } from '../support/dice.ts'
import { assertDistributed } from '../support/statistics.ts'
import { testTarget, testTargets } from '../support/test-targets.ts'
import { exponential, runFleet } from './fleet.ts'

const N = 20_000
const PREQUAL = { probes: 3, maxAge: 1000, hotQuantile: 0.84 }
const POLICIES: Readonly<Record<string, BalancerFactory<undefined>>> = {
  'least-requests': (context) => leastRequests(context, { bias: 1 }),
  'least-requests, two choices': (context) => leastRequests(context, { choices: 2, bias: 1 }),
  p2c: (context) => p2c(context, { load: 'peak-ewma', decay: 10_000 }),
  'p2c by requests under way': (context) => p2c(context, { load: 'inflight', decay: 10_000 }),
  prequal: (context) => new Prequal(context, PREQUAL, () => {}),
  'prequal, with probes': (context) =>
    new Prequal(context, { ...PREQUAL, probe: { path: '/', timeout: 100 } }, (target, _, answered) =>
      answered(target, target.inflight, Number.NaN),
    ),
}
/** Milliseconds between requests that take 10 ms in the mean: none, some and many at a time. */
const GAPS = [500, 20, 1, 0.25]

for (const [name, create] of Object.entries(POLICIES)) {
  describe(`weights under ${name}`, () => {
    function parts(weights: readonly number[], everyMs: number, slow: readonly number[] = []): number[] {
      const targets = weights.map((_, i) => exponential(10 * (slow[i] ?? 1)))
      const { sent } = runFleet(create, undefined, { targets, weights, requests: N, everyMs, seed: 4 })
      return sent.map((count) => count / N)
    }

    it('a canary of 5 % does not get a fifth or a half of the traffic', () => {
      for (const everyMs of GAPS) {
        const [, canary] = parts([95, 5], everyMs) as [number, number]
        assert.ok(canary > 0.03 && canary < 0.07, `${everyMs} ms apart: ${(100 * canary).toFixed(1)} %`)
      }
    })

    it('nor do five canaries among ten targets', () => {
      for (const everyMs of [100, 4, 0.2]) {
        const sent = parts([95, 5, 95, 5, 95, 5, 95, 5, 95, 5], everyMs)
        const canaries = sent.filter((_, i) => i % 2 === 1).reduce((a, b) => a + b)
        assert.ok(canaries > 0.03 && canaries < 0.09, `${everyMs} ms apart: ${(100 * canaries).toFixed(1)} %`)
      }
    })

    it('three sizes get their parts', () => {
      for (const everyMs of GAPS) {
        for (const [i, part] of parts([4, 2, 1], everyMs).entries()) {
          const wanted = [4 / 7, 2 / 7, 1 / 7][i] as number
          assert.ok(part > wanted * 0.75 && part < wanted * 1.25, `${everyMs} ms apart, ${i}: ${part}`)
        }
      }
    })

    it('next to no weight is next to no traffic', () => {
      const [, ...light] = parts([1e6, 1, 3, 0], 20) as [number, number, number, number]
      assert.ok(light[0] + light[1] < 0.001, `${light}`)
      assert.equal(light[2], 0)
    })

    it('a heavy target that hangs does not keep its part', () => {
      for (const weights of [
        [2, 1],
        [95, 5],
      ]) {
        const [heavy] = parts(weights, 5, [1e5]) as [number, number]
        assert.ok(heavy < 0.1, `${weights}: ${heavy}`)
      }
    })
  })
}

describe('drawing by weight', () => {
  const candidates = [0, 5, 1, 0, 3, 1, 0].map((weight, i) =>
    testTarget(i + 1, { weight }),
  ) as unknown as Candidates
  function begin(of: Candidates, seed: number) {
    const sampler = new Sampler(seededDice(seed))
    sampler.onTargets(of)
    return sampler
  }

  it('gives each its part, and none of weight 0', () => {
    const sampler = begin(candidates, 1)
    const seen = candidates.map(() => 0)
    for (let i = 0; i < N; i++) seen[sampler.draw()]!++
    assert.deepEqual([seen[0], seen[3], seen[6]], [0, 0, 0])
    assertDistributed(
      [1, 2, 4, 5].map((i) => seen[i] as number),
      [N / 2, N / 10, (3 * N) / 10, N / 10],
    )
  })

  it('another one is one of the others by weight, be the first as heavy as it may', () => {
    const sampler = begin(candidates, 2)
    const seen = candidates.map(() => 0)
    for (let i = 0; i < N; i++) seen[sampler.drawOther(1)]!++
    assert.deepEqual([seen[0], seen[1], seen[3], seen[6]], [0, 0, 0, 0])
    assertDistributed(
      [2, 4, 5].map((i) => seen[i] as number),
      [N / 5, (3 * N) / 5, N / 5],
    )
  })

  it('is the first itself if it has all the weight, and anyone where nobody has any', () => {
    const alone = [0, 2, 0].map((weight, i) => testTarget(i + 1, { weight })) as unknown as Candidates
    assert.equal(begin(alone, 3).drawOther(1), 1)
    const sampler = begin(testTargets(4, { weight: 0 }), 4)
    const seen = new Set(Array.from({ length: 200 }, () => sampler.draw()))
    assert.equal(seen.size, 4)
  })

  it('with 10,000 targets costs one throw and a few looks', () => {
    let throws = 0
    const dice = seededDice(5)
    const sampler = new Sampler(() => {
      throws++
      return dice()
    })
    sampler.onTargets(
      Array.from({ length: 10_000 }, (_, i) =>
        testTarget(i + 1, { weight: i === 0 ? 1e6 : (i % 3) + 1 }),
      ) as unknown as Candidates,
    )
    let heavy = 0
    for (let i = 0; i < N; i++) if (sampler.draw() === 0) heavy++
    assert.equal(throws, N)
    assertDistributed([heavy, N - heavy], [(N * 1e6) / 1_019_998, (N * 19_998) / 1_019_998])
  })
})
