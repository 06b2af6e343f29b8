import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type LeastRequestsOptions,
  leastRequests,
} from '../../plugins/load-balancing/choose/least-requests.ts'
import type { Candidates, Outcome, PolicyContext } from '../../plugins/upstreams/contract.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { loadedDice, seededDice, virtualClock } from '../support/dice.ts'
import { assertDistributed, assertShare } from '../support/statistics.ts'
import { type TestTarget, testRequest, testTarget, testTargets } from '../support/test-targets.ts'
import { exponential, failsFast, refusesConnections, runFleet } from './fleet.ts'

const DEFAULTS: LeastRequestsOptions = { bias: 1 }
const TWO = { ...DEFAULTS, choices: 2 }
const ALL = { ...DEFAULTS, fullScan: true }
const N = 20_000
const still = (random: () => number): PolicyContext => ({ now: () => 0, random })

function fleetOf(...figures: readonly (readonly [weight: number, inflight: number])[]): Candidates {
  return figures.map(([weight, inflight], i) =>
    testTarget(i + 1, { weight, inflight }),
  ) as unknown as Candidates
}

function picked(options: LeastRequestsOptions, candidates: Candidates, dice: () => number, n = 1): number[] {
  const balancer = leastRequests(still(dice), options)
  balancer.onTargets?.(candidates)
  return Array.from({ length: n }, () => candidates.indexOf(balancer.pick(candidates, testRequest())))
}

function counts(values: readonly number[], of: number): number[] {
  return Array.from({ length: of }, (_, i) => values.filter((value) => value === i).length)
}

for (const [name, options] of Object.entries({
  'two choices': TWO,
  'five choices': { ...TWO, choices: 5 },
  'full scan': ALL,
  'with a bias': { ...DEFAULTS, bias: 0.5 },
})) {
  balancerContract(`least-requests, ${name}`, (context) => leastRequests(context, options))
}

describe('least requests', () => {
  it('takes the less busy one of the two that the dice show', () => {
    const candidates = fleetOf([1, 4], [1, 3], [1, 9], [1, 0])
    // 0.3 x 4 is the second target; of the three others 0.7 x 3 is the last, 0.4 x 3 the third.
    assert.deepEqual(picked(TWO, candidates, loadedDice(0.3, 0.7)), [3])
    assert.deepEqual(picked(TWO, candidates, loadedDice(0.3, 0.4)), [1])
    assert.deepEqual(picked(TWO, candidates, loadedDice(0.6, 0.1)), [0])
  })

  it('takes two different ones: of two targets always the less busy one', () => {
    const seen = picked(TWO, fleetOf([1, 1], [1, 0]), seededDice(1), 500)
    assert.ok(seen.every((i) => i === 1))
  })

  it('of many targets, half of them busy, takes a busy one a quarter of the time', () => {
    const candidates = testTargets(1000)
    for (const [i, target] of candidates.entries()) target.inflight = i % 2
    const busy = picked(TWO, candidates, seededDice(2), N).filter((i) => i % 2 === 1).length
    assertShare(busy, N, (500 * 499) / (1000 * 999))
  })

  it('with more choices is that much surer', () => {
    const candidates = testTargets(1000)
    for (const [i, target] of candidates.entries()) target.inflight = i % 2
    const options = { ...TWO, choices: 4 }
    const busy = picked(options, candidates, seededDice(3), N).filter((i) => i % 2 === 1).length
    assertShare(busy, N, 0.5 ** 4)
  })

  it('looks at all of up to eight targets, and at two of more', () => {
    for (const [n, options, all] of [
      [8, DEFAULTS, true],
      [8, TWO, false],
      [8, { ...DEFAULTS, fullScan: false }, false],
      [9, DEFAULTS, false],
      [3, TWO, false],
      [30, ALL, true],
    ] as const) {
      const candidates = testTargets(n, { inflight: 1 })
      ;(candidates[n - 1] as TestTarget).inflight = 0
      const seen = picked(options, candidates, seededDice(n), 200)
      assert.equal(
        seen.every((i) => i === n - 1),
        all,
        `${n} targets`,
      )
    }
  })

  it('reads as many figures with 10,000 targets as with 10', () => {
    for (const n of [10, 10_000]) {
      let reads = 0
      const candidates = testTargets(n).map((target) =>
        Object.defineProperty(target, 'inflight', {
          get() {
            reads++
            return 1
          },
        }),
      ) as unknown as Candidates
      picked(DEFAULTS, candidates, seededDice(4), 1000)
      assert.equal(reads, 2000)
    }
  })

  it('takes equal ones alike', () => {
    for (const options of [TWO, ALL]) {
      assertDistributed(
        counts(picked(options, testTargets(5), seededDice(5), N), 5),
        new Array(5).fill(N / 5),
      )
    }
  })

  it('without load keeps the proportions of the weights', () => {
    for (const options of [TWO, ALL]) {
      const seen = picked(options, fleetOf([5, 0], [3, 0], [1, 0], [0, 0]), seededDice(6), N)
      const [a, b, c, none] = counts(seen, 4) as [number, number, number, number]
      assertDistributed([a, b, c], [(5 * N) / 9, (3 * N) / 9, N / 9])
      assert.equal(none, 0, 'a weight of 0')
    }
  })

  it('the busy ones’ share goes to all others alike, and not to their neighbour', () => {
    for (const weight of [1, 0]) {
      const busy = testTargets(8, { weight })
      for (const i of [0, 1, 2, 3]) (busy[i] as TestTarget).inflight = 1
      const seen = counts(picked(DEFAULTS, busy, seededDice(10), N), 8)
      assert.deepEqual(seen.slice(0, 4), [0, 0, 0, 0])
      assertDistributed(seen.slice(4), new Array(4).fill(N / 4))
    }
    // By weight, where those that are left differ.
    const weighted = fleetOf([1, 9], [1, 9], [1, 0], [2, 0], [1, 0])
    const [, , ...rest] = counts(picked(DEFAULTS, weighted, seededDice(11), N), 5)
    assertDistributed(rest, [N / 4, N / 2, N / 4])
  })

  it('under load leaves the one drawn by weight if another has less to do for its weight, by more than a request', () => {
    // Weights 1 and 4: a request counts 2.5 at the one and 0.625 at the other; the difference of these is the margin.
    for (const [bias, figures, best] of [
      [1, [2, 4], 1],
      [1, [2, 5], undefined],
      [1, [1, 7], undefined],
      [1, [1, 8], 0],
      [1, [0, 3], undefined],
      [1, [0, 4], 0],
      [2, [2, 3], 1],
      [2, [1, 2], undefined],
      [2, [1, 3], 0],
      [0.5, [1, 48], undefined],
      [0.5, [1, 50], 0],
    ] as const) {
      for (const options of [TWO, ALL]) {
        const candidates = fleetOf([1, figures[0]], [4, figures[1]])
        const seen = counts(picked({ ...options, bias }, candidates, seededDice(7), 1000), 2)
        const shown = `bias ${bias}, ${figures}: ${seen}`
        if (best === undefined) assertShare(seen[0] as number, 1000, 0.2)
        else assert.equal(seen[best], 1000, shown)
      }
    }
  })

  it('keeps targets equally busy for their weight', () => {
    const targets = [1, 2, 4].flatMap((weight) => new Array(6).fill(weight) as number[])
    const { sent } = runFleet(leastRequests, TWO, {
      targets: targets.map(() => exponential(40)),
      weights: targets,
      requests: N,
      everyMs: 0.1,
    })
    const active = (from: number) => (sent.slice(from, from + 6).reduce((a, b) => a + b) / 6 / N) * (40 / 0.1)
    const ratio = (active(12) + 1) / (active(0) + 1)
    assert.ok(ratio > 3.6 && ratio < 4.4, `${ratio} and not about 4`)
  })

  for (const [name, failing] of Object.entries({ failsFast, refusesConnections })) {
    it(`a target that fails at once attracts nothing (${name})`, () => {
      for (const options of [TWO, ALL]) {
        const well = new Array(5).fill(exponential(50))
        const { sent } = runFleet(leastRequests, options, {
          targets: [failing, ...well],
          requests: N,
          everyMs: 3,
        })
        assert.ok((sent[0] as number) < N / 6 / 5, `${sent[0]} of ${N}, where a sixth would be its share`)
        assert.ok((sent[0] as number) > 0, 'it is tried now and then')
      }
    })
  }

  it('forgets failures in time, at once for who fails only once', () => {
    const { now, advance } = virtualClock()
    const balancer = leastRequests({ now, random: seededDice(8) }, ALL)
    const candidates = fleetOf([1, 0], [1, 1])
    balancer.onTargets?.(candidates)
    const well: Outcome = { kind: 'answered', status: 200, latencyMs: 20 }
    const failed: Outcome = { kind: 'failed', reason: 'reset', requestSent: true, latencyMs: 1 }
    const first = () => balancer.pick(candidates, testRequest()) === candidates[0]
    balancer.onOutcome?.(candidates[1] as TestTarget, well)
    assert.equal(first(), true)
    for (let i = 0; i < 3; i++) balancer.onOutcome?.(candidates[0], failed)
    assert.equal(first(), false)
    // The third in a row counts as 4 x 10 usual latencies: 3 of them have faded to 1 after ln 3 times that.
    advance(800 * Math.log(3) - 1)
    assert.equal(first(), false)
    advance(2)
    assert.equal(first(), true)
  })

  it('an abandoned attempt is no failure', () => {
    const balancer = leastRequests(still(seededDice(9)), ALL)
    const candidates = fleetOf([1, 0], [1, 1])
    balancer.onTargets?.(candidates)
    for (let i = 0; i < 50; i++) balancer.onOutcome?.(candidates[0], { kind: 'abandoned' })
    assert.equal(balancer.pick(candidates, testRequest()), candidates[0])
  })
})
