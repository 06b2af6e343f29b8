import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prequal, type PrequalOptions } from '../../plugins/load-balancing/choose/prequal.ts'
import { LatencyByRif } from '../../plugins/load-balancing/prequal/latency-by-rif.ts'
import { ProbePool } from '../../plugins/load-balancing/prequal/probe-pool.ts'
import {
  type Answered,
  type Ask,
  poolSizeFor,
  removalsFor,
  reuseBudget,
} from '../../plugins/load-balancing/prequal/probes.ts'
import { RifQuantile } from '../../plugins/load-balancing/prequal/rif-quantile.ts'
import type { Candidates, Outcome } from '../../plugins/upstreams/contract.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { assertDistributed } from '../support/statistics.ts'
import { type TestTarget, testTarget, testTargets } from '../support/test-targets.ts'
import { exponential, failsFast, refusesConnections, runFleet } from './fleet.ts'

const OPTIONS: PrequalOptions = { probes: 3, poolSize: 16, maxAge: 1000, hotQuantile: 0.84 }
const PROBING: PrequalOptions = { ...OPTIONS, probe: { path: '/prequal', timeout: 100 } }
const N = 20_000
const noAsk: Ask = () => {}
const prequal = (context: ConstructorParameters<typeof Prequal>[0], options: PrequalOptions) =>
  new Prequal(context, options, noAsk)

balancerContract('prequal, own counters', (context) => prequal(context, OPTIONS))
balancerContract('prequal, probes that nobody answers', (context) => prequal(context, PROBING))
balancerContract(
  'prequal, probes that are answered at once',
  (context) => new Prequal(context, PROBING, (target, _question, answered) => answered(target, 3, 12)),
)

describe('the pool of probe answers', () => {
  const LIMIT = 5
  /** Answers [rif, latency], a millisecond apart. */
  function poolOf(...answers: readonly (readonly [rif: number, latency: number])[]) {
    const pool = new ProbePool(16)
    const targets = answers.map((_, i) => testTarget(i + 1))
    for (const [i, [rif, latency]] of answers.entries()) {
      pool.add(targets[i] as TestTarget, i, rif, latency, i, Number.POSITIVE_INFINITY)
    }
    const left = () => Array.from({ length: pool.size }, (_, entry) => pool.number(entry)).toSorted()
    return { pool, targets, left, best: () => pool.number(pool.best(LIMIT)) }
  }

  it('gives the cold one of lowest latency, however little a hot one takes', () => {
    assert.equal(poolOf([9, 1], [5, 30], [0, 40], [6, 2]).best(), 1)
  })

  it('gives the one with the fewest in flight if all are hot', () => {
    assert.equal(poolOf([9, 1], [7, 80], [8, 2]).best(), 1)
  })

  it('counts a request that is sent as one more in flight', () => {
    const { pool, best } = poolOf([4, 10], [4, 20])
    assert.equal(best(), 0)
    pool.use(pool.best(LIMIT), 1)
    assert.equal(best(), 0)
    pool.use(pool.best(LIMIT), 1)
    assert.equal(best(), 1, 'the first is hot now')
  })

  it('removes an answer that is used up, and one too old', () => {
    const pool = new ProbePool(4)
    const [a, b] = testTargets(2) as [TestTarget, TestTarget]
    pool.add(a, 0, 1, 10, 0, 2)
    pool.add(b, 1, 1, 20, 50, 2)
    pool.use(pool.best(LIMIT), 1)
    assert.equal(pool.size, 2)
    pool.use(pool.best(LIMIT), 1)
    assert.equal(pool.size, 1)
    pool.expire(50)
    assert.equal(pool.size, 1)
    pool.expire(51)
    assert.equal(pool.size, 0)
  })

  it('holds the latest answer of a target, and the latest of all', () => {
    const pool = new ProbePool(3)
    const targets = testTargets(5)
    for (const [i, target] of targets.entries()) pool.add(target, i, 0, 10, i, 1)
    pool.add(targets[3] as TestTarget, 3, 9, 10, 9, 1)
    assert.deepEqual(
      Array.from({ length: pool.size }, (_, entry) => pool.number(entry)).toSorted(),
      [2, 3, 4],
    )
  })

  it('removes as the worst the hot one with most in flight, or else the slowest', () => {
    const { pool, left } = poolOf([9, 1], [7, 80], [1, 200], [2, 10])
    for (const after of [[1, 2, 3], [2, 3], [3]]) {
      pool.removeWorst(LIMIT)
      assert.deepEqual(left(), after)
    }
  })

  it('removes the oldest', () => {
    const { pool, left } = poolOf([9, 1], [7, 80], [1, 200])
    pool.removeOldest()
    assert.deepEqual(left(), [1, 2])
  })

  it('gives targets their new numbers, and forgets who has gone', () => {
    const { pool, targets } = poolOf([1, 1], [1, 2], [1, 3])
    pool.renumber((target) => (target === targets[1] ? -1 : 10 + targets.indexOf(target as TestTarget)))
    assert.equal(pool.size, 2)
    for (let entry = 0; entry < 2; entry++) {
      assert.equal(pool.number(entry), 10 + targets.indexOf(pool.target(entry) as TestTarget))
    }
  })
})

describe('how often an answer is used', () => {
  it('is max(1, (1 + delta) / ((1 - m / n) r_probe - r_remove))', () => {
    assert.equal(reuseBudget(16, 100, 3, 1), 2 / (0.84 * 3 - 1))
    assert.equal(reuseBudget(16, 10_000, 3, 1), 2 / ((1 - 0.0016) * 3 - 1))
    assert.equal(reuseBudget(16, 100, 16, 1), 1)
  })

  it('has no bound where the formula has none', () => {
    assert.equal(reuseBudget(16, 20, 3, 1), Number.POSITIVE_INFINITY)
    assert.equal(reuseBudget(16, 3, 3, 0), Number.POSITIVE_INFINITY)
  })

  it('one answer is removed a request, with fewer probes fewer, and none while all targets fit in', () => {
    assert.equal(removalsFor(16, 100, 3), 1)
    assert.equal(removalsFor(16, 100, 1.5), 0.5)
    assert.equal(removalsFor(16, 16, 3), 0)
  })
})

describe('the quantile of requests in flight', () => {
  for (const quantile of [0.1, 0.5, 0.84, 0.99]) {
    it(`${quantile} is what sorting the last 128 gives`, () => {
      const rifs = new RifQuantile(quantile)
      const dice = seededDice(7)
      const all: number[] = []
      for (let i = 0; i < 3000; i++) {
        // It drifts, and now and then jumps.
        const rif = Math.floor(dice() * 10 + 20 * Math.sin(i / 200) ** 2 + (dice() < 0.01 ? 500 : 0))
        all.push(rif)
        rifs.record(rif)
        const sorted = all.slice(-128).toSorted((a, b) => a - b)
        assert.equal(rifs.hotAbove, sorted[Math.ceil(quantile * sorted.length) - 1])
      }
    })
  }

  it('at 0 all are hot, at 1 none is', () => {
    for (const [quantile, limit] of [
      [0, -1],
      [1, Number.POSITIVE_INFINITY],
    ] as const) {
      const rifs = new RifQuantile(quantile)
      for (const rif of [3, 0, 9]) rifs.record(rif)
      assert.equal(rifs.hotAbove, limit)
    }
  })
})

describe('latency by requests in flight', () => {
  it('is that of about as many, else of the next fewer, else of more; it fades while nothing is heard', () => {
    const latency = new LatencyByRif(10_000)
    latency.onTargets(Int32Array.of(-1, -1), 0)
    assert.equal(latency.estimate(0, 4, 0, 70, 1), 70)
    latency.observe(0, 4, 100, 0, 100)
    latency.observe(0, 40, 900, 0, 20)
    const more = 100 + 800 / 16
    assert.equal(latency.estimate(0, 6, 0, 70, 1), 100)
    assert.equal(latency.estimate(0, 20, 0, 70, 1), 100)
    assert.equal(latency.estimate(0, 1000, 0, 70, 1), more)
    assert.equal(latency.estimate(0, 0, 0, 70, 1), 100)
    // Time alone does not tell: nobody else was heard of either.
    assert.equal(latency.estimate(0, 4, 10_000, 70, 1), 100)
    for (let i = 0; i < 32; i++) latency.observe(1, 4, 30, 5000, 30)
    assert.equal(latency.estimate(0, 6, 10_000, 70, 1), 100 / Math.E)
    assert.equal(latency.estimate(0, 6, 0, 70, 1), 100, 'nor do answers alone')
    latency.onTargets(Int32Array.of(1, 0, -1), 5000)
    assert.equal(latency.estimate(1, 40, 0, 70, 1), more)
    for (let i = 0; i < 48; i++) latency.observe(0, 4, 30, 5000, 30)
    assert.equal(latency.estimate(2, 4, 15_000, 70, 1), 70 / Math.E, 'who was never heard of fades as well')
    assert.equal(latency.estimate(2, 4, 15_000, 70, 2), 70 * Math.exp(-0.5), 'half the weight: half as fast')
  })
})

describe('prequal', () => {
  function begin(count: number, options: PrequalOptions, seed = 1, figures: object = {}) {
    const clock = virtualClock()
    const asked: { target: TestTarget; path: string; answered: Answered }[] = []
    const balancer = new Prequal(
      { now: clock.now, random: seededDice(seed) },
      options,
      (target, { path }, answered) => asked.push({ target: target as TestTarget, path, answered }),
    )
    const candidates = testTargets(count, figures)
    balancer.onTargets(candidates)
    const pick = () => balancer.pick(candidates) as TestTarget
    return { balancer, candidates, asked, pick, ...clock }
  }

  it('asks three different targets a request, drawn by weight', () => {
    const { candidates, balancer, asked, pick } = begin(101, PROBING)
    for (const [i, target] of candidates.entries()) target.weight = i % 2 === 0 ? 1 : 3
    candidates[0].weight = 0
    balancer.onTargets(candidates)
    for (let i = 0; i < N; i++) pick()
    assert.equal(asked.length, 3 * N)
    assert.equal(asked[0]?.path, '/prequal')
    for (let i = 0; i < N; i++) {
      assert.equal(new Set(asked.slice(3 * i, 3 * i + 3).map(({ target }) => target)).size, 3)
    }
    const counts = candidates.map((target) => asked.filter((one) => one.target === target).length)
    assert.equal(counts[0], 0)
    const first = candidates.map(
      (target) => asked.filter((one, i) => i % 3 === 0 && one.target === target).length,
    )
    assertDistributed(
      first.slice(1),
      candidates.slice(1).map(({ weight }) => (N * weight) / 200),
    )
  })

  it('asks all where there are no more than three, but a weight of 0', () => {
    const { candidates, balancer, asked, pick } = begin(3, PROBING)
    candidates[0].weight = 0
    balancer.onTargets(candidates)
    pick()
    assert.deepEqual(
      asked.map(({ target }) => target),
      candidates.slice(1),
    )
  })

  it('a weight of 0 whose sessions go on is not picked because of what it reports', () => {
    const { candidates, balancer, pick } = begin(3, OPTIONS)
    candidates[0].weight = 0
    balancer.onTargets(candidates)
    const report = (rif: number, ms: number): Outcome => ({
      kind: 'answered',
      status: 200,
      latencyMs: ms,
      loadReport: `named_metrics.rif=${rif},named_metrics.latencyMs=${ms}`,
    })
    for (let i = 0; i < 100; i++) {
      for (const [k, target] of candidates.entries()) balancer.onOutcome(target, report(k, 10 * k + 1))
      assert.notEqual(pick(), candidates[0])
    }
  })

  it('with a fraction of a probe asks once in so many requests', () => {
    const { asked, pick } = begin(3, { ...PROBING, probes: 0.25 })
    for (let i = 0; i < 100; i++) pick()
    assert.equal(asked.length, 25)
  })

  it('with fewer than two answers picks at random', () => {
    const { candidates, asked, pick } = begin(5, PROBING, 2)
    const seen = candidates.map(() => 0)
    for (let i = 0; i < N; i++) {
      seen[candidates.indexOf(pick())]!++
      if (i === 100) asked[0]?.answered(asked[0].target, 0, 1)
    }
    assertDistributed(seen, new Array(5).fill(N / 5))
  })

  it('goes by the answers for as long as they are good', () => {
    const { candidates, asked, pick, advance } = begin(5, PROBING)
    pick()
    const { answered } = asked[0] as (typeof asked)[0]
    answered(candidates[1] as TestTarget, 1, 50)
    answered(candidates[3] as TestTarget, 1, 10)
    advance(1000)
    // Each request that goes there makes it one more in flight: the other one's turn comes.
    const seen = new Set(Array.from({ length: 100 }, () => candidates.indexOf(pick())))
    assert.deepEqual([...seen].toSorted(), [1, 3])
    advance(1)
    const after = new Set(Array.from({ length: 100 }, () => candidates.indexOf(pick())))
    assert.equal(after.size, 5, 'too old: at random again')
  })

  it('does not hear answers of targets that have gone', () => {
    const { balancer, candidates, asked, pick } = begin(5, PROBING)
    pick()
    const { answered } = asked[0] as (typeof asked)[0]
    answered(candidates[4] as TestTarget, 0, 1)
    const four = candidates.slice(0, 4) as unknown as Candidates
    balancer.onTargets(four)
    answered(candidates[4] as TestTarget, 0, 1)
    answered(candidates[0] as TestTarget, 0, 9)
    answered(candidates[1] as TestTarget, 0, 9)
    for (let i = 0; i < 100; i++) assert.ok(four.includes(balancer.pick(four)))
  })

  it('takes what targets report with their responses as answers', () => {
    const { balancer, candidates, pick } = begin(3, OPTIONS, 3)
    // By the gateway's own counters the first one is idle, but others keep it busy.
    const report = (i: number, rif: number, ms: number): void => {
      const loadReport = `TEXT named_metrics.rif=${rif},named_metrics.latencyMs=${ms}`
      balancer.onOutcome(candidates[i] as TestTarget, {
        kind: 'answered',
        status: 200,
        latencyMs: 5,
        loadReport,
      })
    }
    report(0, 40, 900)
    report(1, 2, 30)
    report(2, 2, 20)
    const seen = candidates.map(() => 0)
    for (let i = 0; i < 30; i++) {
      seen[candidates.indexOf(pick())]!++
    }
    assert.equal(seen[0], 0, `${seen}`)
  })

  const answer = (rif?: number): Outcome => ({
    kind: 'answered',
    status: 200,
    latencyMs: 5,
    ...(rif === undefined ? {} : { loadReport: `TEXT named_metrics.rif=${rif},named_metrics.latencyMs=30` }),
  })

  it('a target that has not reported does not look idle by our own counters', () => {
    const { balancer, candidates, pick, advance } = begin(40, OPTIONS, 3)
    const seen = candidates.map(() => 0)
    for (let round = 0; round < 2000; round++) {
      // Three of forty report all the time, as busy as anyone is.
      for (const i of [0, 1, 2]) balancer.onOutcome(candidates[i] as TestTarget, answer(20))
      advance(10)
      seen[candidates.indexOf(pick())]!++
    }
    const told = (seen[0] as number) + (seen[1] as number) + (seen[2] as number)
    assert.ok(told > 1000, `${told} of 2000 went to those that are known`)
    const unseen = seen.slice(3).filter((count) => count === 0).length
    assert.ok(unseen <= 2, `and some went to see how the others are: ${seen}`)
  })

  it('goes by its own counters for all where some answers bring no report', () => {
    const silent = exponential(20)
    const idle = (dice: () => number, target: TestTarget, now: number) => ({
      ...exponential(20)(dice, target, now),
      loadReport: 'named_metrics.rif=0,named_metrics.latencyMs=1',
    })
    const targets = [idle, idle, silent, silent, silent] as never
    const { sent } = runFleet(prequal, OPTIONS, { targets, requests: N, everyMs: 6 })
    for (const count of sent) assert.ok(count > N / 5 / 1.5 && count < (N / 5) * 1.5, `${sent}`)
  })

  it('holds no more answers than half of the targets, from 4 to 16, if not told how many', () => {
    assert.deepEqual([1, 3, 8, 9, 20, 32, 1000].map(poolSizeFor), [4, 4, 4, 5, 10, 16, 16])
    const { poolSize: _, ...usual } = PROBING
    const { candidates, asked, pick, advance } = begin(20, usual)
    pick()
    const { answered } = asked[0] as (typeof asked)[0]
    for (const [i, target] of candidates.entries()) {
      advance(1)
      // The first ones are the quickest, and were pushed out.
      answered(target, 1, 100 + i)
    }
    assert.deepEqual(
      [pick(), pick(), pick()].map((one) => candidates.indexOf(one) >= 10),
      [true, true, true],
    )
  })

  it('drops the answers of a target that fails', () => {
    const { balancer, candidates, asked, pick } = begin(3, PROBING, 4)
    pick()
    const { answered } = asked[0] as (typeof asked)[0]
    answered(candidates[0], 2, 1)
    answered(candidates[1] as TestTarget, 9, 50)
    answered(candidates[2] as TestTarget, 9, 60)
    for (let i = 0; i < 3; i++) assert.equal(pick(), candidates[0])
    const failed: Outcome = { kind: 'failed', reason: 'reset', requestSent: true, latencyMs: 1 }
    balancer.onOutcome(candidates[0], failed)
    assert.notEqual(pick(), candidates[0])
    answered(candidates[0], 2, 1)
    assert.notEqual(pick(), candidates[0], 'it says that all is well')
  })

  it('keeps equal ones equally busy, as far as what it measures of them is equal', () => {
    // By chance a few answers differ, and of 16 the best is taken: the more targets, the less even.
    for (const [n, times] of [
      [5, 1.5],
      [40, 3],
    ] as const) {
      const { sent } = runFleet(prequal, OPTIONS, {
        targets: new Array(n).fill(exponential(20)),
        requests: N,
        everyMs: 30 / n,
      })
      for (const count of sent) {
        assert.ok(count < (N / n) * times && count > N / n / times, `${sent}`)
      }
    }
  })

  it('reaches everybody however little there is to do: nobody starves where requests come one by one', () => {
    for (const [gap, requests, n] of [
      [400, 40, 3],
      [0, 20_000, 3],
      [30_000, 200, 3],
      [50, 2000, 20],
    ] as const) {
      const { balancer, candidates, pick, advance } = begin(n, { ...OPTIONS, poolSize: poolSizeFor(n) })
      const dice = seededDice(7)
      const seen = candidates.map(() => 0)
      for (let i = 0; i < requests; i++) {
        const target = pick()
        const at = candidates.indexOf(target)
        seen[at]!++
        target.inflight++
        // The first is the fastest; that is no reason to forget the others.
        const latencyMs = (at === 0 ? 8 : 12) * (0.5 + dice())
        advance(latencyMs)
        balancer.onOutcome(target, { kind: 'answered', status: 200, latencyMs })
        target.inflight--
        advance(gap)
      }
      assert.ok(Math.min(...seen) > requests / n / 60, `${gap} ms apart: ${seen}`)
    }
  })

  it('keeps away from a slow target', () => {
    const targets = [exponential(200), ...new Array(5).fill(exponential(20))]
    const { sent } = runFleet(prequal, OPTIONS, { targets, requests: N, everyMs: 6 })
    assert.ok((sent[0] as number) < N / 6 / 5 && (sent[0] as number) > 0, `${sent}`)
  })

  for (const [name, failing] of Object.entries({ failsFast, refusesConnections })) {
    it(`a target that fails at once attracts nothing (${name})`, () => {
      for (const n of [5, 29]) {
        const targets = [failing, ...new Array(n).fill(exponential(50))]
        const { sent } = runFleet(prequal, OPTIONS, { targets, requests: N, everyMs: 15 / n })
        const share = N / (n + 1)
        assert.ok((sent[0] as number) < share / 5 && (sent[0] as number) > 0, `${sent[0]} of ${share}`)
      }
    })
  }

  it('nor does one that says of itself that it has nothing to do', () => {
    const failing = () => ({
      ...failsFast(seededDice(1), testTarget(1), 0),
      loadReport: 'named_metrics.rif=0,named_metrics.latencyMs=0.5',
    })
    const well = (dice: () => number, target: TestTarget, now: number) => ({
      ...exponential(50)(dice, target, now),
      loadReport: `named_metrics.rif=${target.inflight},named_metrics.latencyMs=50`,
    })
    const targets = [failing, ...new Array(5).fill(well)] as never
    const { sent } = runFleet(prequal, OPTIONS, { targets, requests: N, everyMs: 3 })
    assert.ok((sent[0] as number) < N / 6 / 5, `${sent}`)
  })
})
