import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type OrcaWeightedOptions, orcaWeighted } from '../../plugins/load-balancing/choose/orca-weighted.ts'
import { readLoadReport } from '../../plugins/load-balancing/load/orca-report.ts'
import { ReportedWeights } from '../../plugins/load-balancing/load/reported-weights.ts'
import type { Candidates, Outcome } from '../../plugins/upstreams/contract.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { type TestTarget, testRequest, testTarget } from '../support/test-targets.ts'
import { exponential, runFleet } from './fleet.ts'

const OPTIONS: OrcaWeightedOptions = {
  blackout: 10_000,
  expiration: 180_000,
  updatePeriod: 1000,
  errorUtilizationPenalty: 1,
}
const NOTHING = { applicationUtilization: 0, cpuUtilization: 0, rps: 0, eps: 0 }

function told(loadReport: string, status = 200): Outcome {
  return { kind: 'answered', status, latencyMs: 5, loadReport }
}

/** The weights of two targets of which the second one reports 100 requests a second at half its capacity: 200. */
function weightsAfter(reports: readonly Outcome[], options = OPTIONS): number[] {
  const weights = new ReportedWeights(options)
  weights.onTargets(Int32Array.of(-1, -1))
  for (const report of reports) weights.onOutcome(0, report, 0)
  weights.onOutcome(1, told('cpu_utilization=0.5,rps_fractional=100'), 0)
  return [...weights.weights(Float64Array.of(1, 1), options.blackout)]
}

describe('a load report (ORCA)', () => {
  for (const [header, expected] of [
    [
      'TEXT application_utilization=0.5,cpu_utilization=0.3,rps_fractional=10,eps=1',
      { applicationUtilization: 0.5, cpuUtilization: 0.3, rps: 10, eps: 1 },
    ],
    ['cpu_utilization=0.3', { cpuUtilization: 0.3 }],
    [' TEXT cpu_utilization = 1.5 , rps_fractional=1e3', { cpuUtilization: 1.5, rps: 1000 }],
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": 10}', { cpuUtilization: 0.3, rps: 10 }],
    ['JSON {"cpuUtilization": 0.3, "rps": "7"}', { cpuUtilization: 0.3, rps: 7 }],
    ['TEXT named_metrics.rif=3,named_metrics.latencyMs=12.5', { rif: 3, latencyMs: 12.5 }],
    ['JSON {"named_metrics": {"rif": 3, "latency_ms": 12}, "eps": 0}', { rif: 3, latencyMs: 12 }],
    ['JSON {"rif": 0, "latencyMs": 4}', { rif: 0, latencyMs: 4 }],
    ['TEXT cpu_utilization=0.2,mystery=1,named_metrics.kb=2,utilization.disk=0.4', { cpuUtilization: 0.2 }],
    ['cpu_utilization=-1,eps=2', { eps: 2 }],
    ['cpu_utilization=NaN,rps=Infinity,eps=2', { eps: 2 }],
  ] as const) {
    it(`reads ${header}`, () => {
      assert.deepEqual(
        { ...readLoadReport(header) },
        { ...NOTHING, rif: Number.NaN, latencyMs: Number.NaN, ...expected },
      )
    })
  }

  for (const header of [
    '',
    'TEXT',
    'TEXT ',
    'BIN CgA=',
    'JSON',
    'JSON {',
    'JSON null',
    'JSON 7',
    'JSON []',
    'JSON {"cpu_utilization": {}}',
    'JSON {"named_metrics": "abc"}',
    'cpu_utilization',
    'cpu_utilization=',
    '__proto__=1,constructor=2',
    `cpu_utilization=0.1,${'x'.repeat(5000)}`,
  ]) {
    it(`makes nothing of ${header.slice(0, 40)}`, () => assert.equal(readLoadReport(header), undefined))
  }
})

describe('weights from reports (gRPC A58)', () => {
  it('weight = qps / (utilisation + eps / qps x penalty)', () => {
    const report = 'application_utilization=0.5,cpu_utilization=0.9,rps_fractional=100,eps=10'
    assert.deepEqual(weightsAfter([told(report)]), [100 / 0.6, 200])
    assert.deepEqual(weightsAfter([told(report)], { ...OPTIONS, errorUtilizationPenalty: 0 }), [200, 200])
    assert.deepEqual(weightsAfter([told('cpu_utilization=0.25,rps_fractional=100')]), [400, 200])
  })

  it('a report without utilisation or requests changes nothing', () => {
    const known = told('cpu_utilization=0.25,rps_fractional=100')
    assert.deepEqual(weightsAfter([known, told('rps_fractional=5'), told('cpu_utilization=0.9')]), [400, 200])
  })

  it('a target without report gets the mean of the others, and with fewer than two reports the configured hold', () => {
    const weights = new ReportedWeights(OPTIONS)
    weights.onTargets(new Int32Array(4).fill(-1))
    const configured = Float64Array.of(1, 2, 3, 0)
    const now = OPTIONS.blackout
    weights.onOutcome(0, told('cpu_utilization=0.5,rps_fractional=50'), 0)
    assert.deepEqual([...weights.weights(configured, now)], [1, 2, 3, 0])
    weights.onOutcome(1, told('cpu_utilization=0.5,rps_fractional=150'), 0)
    assert.deepEqual([...weights.weights(configured, now)], [100, 300, 200, 0])
  })

  it('holds from the black-out on and until it expires, and then there is a black-out anew', () => {
    const weights = new ReportedWeights(OPTIONS)
    weights.onTargets(Int32Array.of(-1, -1))
    const configured = Float64Array.of(1, 1)
    const first = (now: number) => weights.weights(configured, now)[0]
    const hear = (now: number) => {
      weights.onOutcome(0, told('cpu_utilization=0.5,rps_fractional=50'), now)
      weights.onOutcome(1, told('cpu_utilization=0.5,rps_fractional=150'), now)
    }
    hear(0)
    assert.equal(first(9999), 1)
    assert.equal(first(10_000), 100)
    hear(60_000)
    assert.equal(first(239_999), 100)
    assert.equal(first(240_000), 1)
    hear(250_000)
    assert.equal(first(250_000), 1)
    assert.equal(first(260_000), 100)
  })

  it('takes the rate that it sends where a report has none', () => {
    const weights = new ReportedWeights(OPTIONS)
    weights.onTargets(Int32Array.of(-1, -1))
    const second = () => {
      for (let i = 0; i < 50; i++) weights.onOutcome(0, told('cpu_utilization=0.5'), 0)
      for (let i = 0; i < 50; i++) weights.onOutcome(1, told('cpu_utilization=0.25'), 0)
      weights.endPeriod(1000)
    }
    second()
    second()
    assert.deepEqual([...weights.weights(Float64Array.of(1, 1), OPTIONS.blackout)], [100, 200])
  })
})

balancerContract('orca-weighted', (context) => orcaWeighted(context, OPTIONS))

describe('orca-weighted', () => {
  function begin(count: number, figures: object = {}) {
    const clock = virtualClock()
    const balancer = orcaWeighted({ now: clock.now, random: seededDice(1) }, OPTIONS)
    const candidates = Array.from({ length: count }, (_, i) =>
      testTarget(i + 1, figures),
    ) as unknown as Candidates
    balancer.onTargets?.(candidates)
    const picks = (n: number): number[] => {
      const seen = candidates.map(() => 0)
      for (let i = 0; i < n; i++) seen[candidates.indexOf(balancer.pick(candidates, testRequest()))]!++
      return seen
    }
    return { balancer, candidates, picks, ...clock }
  }

  it('sends by the weights reported, without bursts, and looks at them once a period', () => {
    const { balancer, candidates, picks, advance } = begin(2)
    balancer.onOutcome?.(candidates[0], told('cpu_utilization=0.5,rps_fractional=50'))
    balancer.onOutcome?.(candidates[1] as TestTarget, told('cpu_utilization=0.5,rps_fractional=150'))
    assert.deepEqual(picks(40), [20, 20])
    advance(10_000)
    assert.deepEqual(picks(40), [10, 30])
    balancer.onOutcome?.(candidates[0], told('cpu_utilization=0.5,rps_fractional=150'))
    advance(999)
    assert.deepEqual(picks(40), [10, 30])
    advance(1)
    assert.deepEqual(picks(40), [20, 20])
  })

  it('a target that comes gets the mean, one that goes is forgotten', () => {
    const { balancer, candidates, picks, advance } = begin(3)
    for (const [i, rps] of [100, 200, 600].entries()) {
      balancer.onOutcome?.(candidates[i] as TestTarget, told(`cpu_utilization=1,rps_fractional=${rps}`))
    }
    advance(10_000)
    assert.deepEqual(picks(90), [10, 20, 60])
    balancer.onTargets?.([candidates[0], candidates[1]] as unknown as Candidates)
    balancer.onTargets?.(candidates)
    assert.deepEqual(picks(90), [20, 40, 30])
  })

  it('gives machines of different strength work to the same utilisation', () => {
    const strengths = [1, 1, 2, 4]
    const busy = strengths.map(() => 0)
    const clock = virtualClock()
    const { sent } = runFleet(orcaWeighted, OPTIONS, {
      clock,
      targets: strengths.map((strength, i) => (dice, target, now) => {
        busy[i]!++
        const rps = (busy[i] as number) / Math.max(1, now / 1000)
        const report = `TEXT cpu_utilization=${rps / (100 * strength)},rps_fractional=${rps}`
        return { ...exponential(10)(dice, target, now), loadReport: report } as never
      }),
      requests: 40_000,
      everyMs: 2,
    })
    // The first eighth is before and during the black-out.
    const share = (i: number) => (sent[i] as number) / 40_000
    const expected = (strength: number) => 0.25 / 8 + (strength / 8) * (7 / 8)
    for (const [i, strength] of strengths.entries()) {
      const off = share(i) / expected(strength) - 1
      assert.ok(Math.abs(off) < 0.1, `${share(i)} for strength ${strength}`)
    }
  })

  it('gateways that start together do not march in step', () => {
    const starts = new Set<number>()
    for (let seed = 0; seed < 100; seed++) {
      const balancer = orcaWeighted({ now: () => 0, random: seededDice(seed) }, OPTIONS)
      const candidates = Array.from({ length: 5 }, (_, i) => testTarget(i + 1)) as unknown as Candidates
      balancer.onTargets?.(candidates)
      starts.add(candidates.indexOf(balancer.pick(candidates, testRequest())))
    }
    assert.equal(starts.size, 5)
  })

  it('a target whose errors bring no report does not keep the weight of better days', () => {
    const { balancer, candidates, picks, advance } = begin(4)
    for (const target of candidates)
      balancer.onOutcome?.(target, told('cpu_utilization=0.5,rps_fractional=100'))
    advance(10_000)
    assert.deepEqual(picks(40), [10, 10, 10, 10])
    for (let second = 0; second < 60; second++) {
      balancer.onOutcome?.(candidates[0], { kind: 'answered', status: 500, latencyMs: 1 })
      advance(1000)
      picks(1)
    }
    // 100 / (0.5 + 1 x 1) where the others have 100 / 0.5.
    assert.deepEqual(picks(100), [10, 30, 30, 30])
    advance(120_000)
    for (const target of candidates.slice(1)) {
      balancer.onOutcome?.(target, told('cpu_utilization=0.5,rps_fractional=100'))
    }
    balancer.onOutcome?.(candidates[0], { kind: 'answered', status: 500, latencyMs: 1 })
    advance(1000)
    assert.ok((picks(100)[0] as number) < 15, 'its report has expired: no more than that of the mean')
  })

  it('a target that fails at once, and so has an idle CPU, attracts nothing', () => {
    const { sent } = runFleet(orcaWeighted, OPTIONS, {
      targets: [
        () => ({
          kind: 'answered',
          status: 500,
          latencyMs: 0.5,
          loadReport: 'cpu_utilization=0.01,rps_fractional=100',
        }),
        ...new Array(5).fill((dice: () => number, target: TestTarget, now: number) => ({
          ...exponential(50)(dice, target, now),
          loadReport: 'cpu_utilization=0.5,rps_fractional=100',
        })),
      ],
      requests: 20_000,
      everyMs: 3,
    })
    assert.ok((sent[0] as number) < 20_000 / 6 / 1.3, `${sent[0]} where ${20_000 / 6} would be its share`)
  })
})
