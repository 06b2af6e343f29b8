import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defined } from '../../plugins/upstreams/balancers.ts'
import type { Balancer, Outcome, PolicyContext, Target } from '../../plugins/upstreams/contract.ts'
import type { Figures } from '../../simulate/figures.ts'
import type { Fleet } from '../../simulate/fleet.ts'
import type { Balancers } from '../../simulate/gateway.ts'
import { simulate } from '../../simulate/run.ts'
import { textbook, textbookBalancers, uniform } from '../../simulate/theory-check.ts'

const plain: Fleet = {
  about: 'ten targets',
  targets: [{ count: 10, capacity: 2 }],
  service: { kind: 'exponential', meanMs: 10 },
  arrivals: { load: 0.8 },
  discipline: 'fifo',
  gateways: 3,
  requests: 20_000,
}

/** Everything that can go wrong at once. */
const troubled: Fleet = {
  ...plain,
  deadlineMs: 100,
  limit: 12,
  antagonists: [{ targets: { share: 0.3 }, slowdown: 3, onMs: 200, offMs: 400 }],
  failures: [
    { targets: [0], mode: 'errors', fromMs: 1000, toMs: 2000 },
    { targets: [1], mode: 'refuses', fromMs: 1500, toMs: 3000 },
    { targets: [2], mode: 'freezes', fromMs: 2000, toMs: 4000 },
  ],
  keys: { count: 500, skew: 0.8 },
  cache: { keys: 20, hit: 0.3 },
  reports: 'rif',
}

const withoutTail = ({ latencies, ...rest }: Figures) => ({ ...rest, tail: [...latencies.slice(-50)] })

/** A balancer that writes down what it is told. */
function recorder(of: (context: PolicyContext) => Balancer): {
  balancers: Balancers
  heard: [Target, Outcome][]
} {
  const heard: [Target, Outcome][] = []
  const create = (context: PolicyContext): Balancer => ({
    ...of(context),
    onOutcome: (target, outcome) => heard.push([target, outcome]),
  })
  return { balancers: new Map([['recorder', defined(create)]]), heard }
}

describe('a run', () => {
  for (const discipline of ['fifo', 'sharing'] as const) {
    it(`${discipline}: the same seed gives the same run, another seed another`, () => {
      const run = (seed: number) =>
        withoutTail(simulate({ ...troubled, discipline }, 'two-choices', textbookBalancers, { seed }))
      assert.deepEqual(run(3), run(3))
      assert.notDeepEqual(run(3), run(4))
    })
  }

  it('holds to Little’s law, whatever goes wrong', () => {
    for (const discipline of ['fifo', 'sharing'] as const) {
      for (const fleet of [plain, troubled, textbook(5, 0.9), textbook(5, 1.2, { limit: 20 })]) {
        // It throws where the books do not balance, or a registry still counts attempts at the end.
        const { little } = simulate({ ...fleet, discipline }, 'uniform', textbookBalancers, {
          seed: 5,
          requests: 20_000,
        })
        assert.ok(little.l > 0)
        assert.ok(Math.abs(little.l - little.lambda * little.w) < 1e-6 * little.l)
      }
    }
  })

  it('gives all policies the same requests at the same times', () => {
    const arrivals = (policy: string) => simulate(plain, policy, textbookBalancers, { seed: 6 }).little.lambda
    const busy = (policy: string) => simulate(plain, policy, textbookBalancers, { seed: 6 }).utilisation
    // All of the work is done in the end; only the part of it that overlaps the ends differs.
    assert.ok(Math.abs(busy('uniform') - busy('two-choices')) < 0.005)
    assert.ok(Math.abs(arrivals('uniform') / arrivals('two-choices') - 1) < 0.01)
  })

  it('asks of the fleet what it says: the load', () => {
    for (const load of [0.3, 0.7]) {
      const fleet = { ...plain, arrivals: { load }, targets: [{ count: 4, capacity: 2, speed: 2 }] }
      const { utilisation } = simulate(fleet, 'uniform', textbookBalancers, { seed: 7, requests: 100_000 })
      // Requests and their work vary alike: a relative standard error of sqrt(2 / n).
      assert.ok(Math.abs(utilisation - load) < 4 * load * Math.sqrt(2 / 90_000), `${utilisation}`)
    }
  })

  it('tells policies what became of their picks, and each gateway of its own only', () => {
    const { balancers, heard } = recorder(uniform)
    simulate(plain, 'recorder', balancers, { seed: 8, requests: 2000 })
    assert.equal(heard.length, 2000)
    // 3 gateways with 10 targets each.
    assert.equal(new Set(heard.map(([target]) => target)).size, 30)
    assert.ok(heard.every(([, { kind }]) => kind === 'answered'))
  })
})

describe('what goes wrong', () => {
  const run = (fleet: Partial<Fleet>, requests = 20_000) => {
    const { balancers, heard } = recorder(uniform)
    const whole = { ...plain, warmup: 0, gateways: 1, ...fleet }
    const figures = simulate(whole, 'recorder', balancers, { seed: 9, requests })
    const kinds = heard.map(([, outcome]) =>
      outcome.kind === 'answered' ? outcome.status : outcome.kind === 'failed' ? outcome.reason : 'abandoned',
    )
    return { figures, kinds, heard, count: (kind: unknown) => kinds.filter((one) => one === kind).length }
  }
  const always = { fromMs: 0, toMs: 1e9 }

  it('a target that errs answers 500 at once: a failure, and no part of the latencies', () => {
    const { figures, count, heard } = run({ failures: [{ targets: [4], mode: 'errors', ...always }] })
    assert.ok(count(500) > 1700 && count(500) < 2300)
    assert.equal(figures.errors.failures, count(500))
    assert.equal(figures.latencies.length, 20_000 - count(500))
    for (const [, outcome] of heard) {
      if (outcome.kind === 'answered' && outcome.status === 500)
        assert.ok(Math.abs(outcome.latencyMs - 1) < 1e-6)
    }
  })

  it('a target that goes down loses what it has and refuses the rest, until it is back', () => {
    const { figures, kinds, count } = run({
      failures: [{ targets: [4], mode: 'refuses', fromMs: 2000, toMs: 4000 }],
    })
    assert.ok(count('connect') > 200)
    assert.ok(count('reset') >= 1 && count('reset') < 60, `${count('reset')} were under way`)
    assert.equal(figures.errors.failures, count('connect') + count('reset'))
    assert.ok(kinds.lastIndexOf('connect') < kinds.length * 0.5, 'it is back')
  })

  it('a frozen one costs the deadline, and goes on where it was', () => {
    const { figures, count } = run({
      deadlineMs: 500,
      failures: [{ targets: [4], mode: 'freezes', fromMs: 2000, toMs: 4000 }],
    })
    assert.ok(count('timeout') > 200)
    assert.equal(figures.errors.timeouts, count('timeout'))
    assert.ok(Math.abs(figures.latencies.at(-1)! - 500) < 1e-6)
  })

  it('a failure goes on although another one of the same target is over', () => {
    const freezes = { targets: [4], mode: 'freezes', fromMs: 2000, toMs: 6000 } as const
    const errs = { targets: [4], mode: 'errors', fromMs: 3000, toMs: 3500 } as const
    const alone = run({ deadlineMs: 500, failures: [freezes] }).count('timeout')
    const again = { ...freezes, fromMs: 2500, toMs: 3000 }
    assert.equal(run({ deadlineMs: 500, failures: [freezes, again] }).count('timeout'), alone)
    const both = run({ deadlineMs: 500, failures: [freezes, errs] })
    assert.ok(both.count(500) > 0, 'the one that began last holds')
    assert.ok(both.count('timeout') > alone * 0.7, `${both.count('timeout')} of ${alone}`)
    // Nor do health checks take it back before all are over.
    const health = { afterMs: 100 }
    const noticed = (failures: Fleet['failures']) =>
      run({ deadlineMs: 500, health, ...(failures && { failures }) }).count('timeout')
    assert.equal(noticed([freezes, again]), noticed([freezes]))
  })

  it('a frozen target does no work', () => {
    const fleet: Partial<Fleet> = {
      deadlineMs: 500,
      failures: [{ targets: [4], mode: 'freezes', ...always }],
    }
    for (const discipline of ['fifo', 'sharing'] as const) {
      const { utilisation } = run({ ...fleet, discipline }).figures
      // Nine of ten at 0.8.
      assert.ok(utilisation > 0.66 && utilisation < 0.76, `${discipline}: ${utilisation}`)
    }
  })

  it('checks that take out all of a fleet are panic, as in a gateway, and no outage', () => {
    const all = Array.from({ length: 10 }, (_, target) => target)
    const failures = [{ targets: all, mode: 'errors', fromMs: 1000, toMs: 2000 }] as const
    const { figures } = run({ failures, health: { afterMs: 500 } })
    assert.equal(figures.errors.refusals, 0)
    assert.ok(figures.errors.failures > 500)
  })

  it('health checks keep requests away from it once they have noticed', () => {
    const failures = [{ targets: [4], mode: 'refuses', fromMs: 2000, toMs: 6000 }] as const
    const unnoticed = run({ failures }).count('connect')
    const noticed = run({ failures, health: { afterMs: 400 } }).count('connect')
    assert.ok(noticed > 0 && noticed < unnoticed / 5, `${noticed} against ${unnoticed}`)
  })

  it('a full fleet refuses: the registry’s word, not a target’s', () => {
    const { figures } = run({ arrivals: { load: 1.5 }, limit: 4 })
    assert.ok(figures.errors.refusals > 4000)
    assert.equal(figures.requests, 20_000)
    assert.equal(figures.latencies.length, 20_000 - figures.errors.refusals)
  })

  it('an antagonist slows its target down, for its part of the time', () => {
    const antagonists = [{ targets: { share: 1 }, slowdown: 2, onMs: 200, offMs: 400 }]
    const { figures } = run({ antagonists, arrivals: { load: 0.3 } }, 100_000)
    // A third of the requests come while it is on, and take twice as long. Some 2800 times on and off for each of which
    // the shares of time vary by their mean: a standard error of 1 % of what the antagonist adds to 0.3.
    const expected = 0.3 * (2 / 3 + (1 / 3) * 2)
    assert.ok(Math.abs(figures.utilisation - expected) < 0.03 * expected, `${figures.utilisation}`)
  })

  it('a cache that holds all keys hits whenever a target has seen the key', () => {
    const { figures } = run({ keys: { count: 10, skew: 0 }, cache: { keys: 10, hit: 0.5 } })
    // Each of 10 targets misses each of 10 keys once.
    assert.equal(Math.round((1 - figures.hits!) * 20_000), 100)
    const half = run({ keys: { count: 1000, skew: 0 }, cache: { keys: 500, hit: 0.5 } }, 100_000)
    assert.ok(Math.abs(half.figures.hits! - 0.5) < 0.05, `${half.figures.hits}`)
  })

  it('hits of the warm-up are not counted', () => {
    const cold = { keys: { count: 100, skew: 0 }, cache: { keys: 100, hit: 0.5 } }
    // Each of 10 targets misses each of 100 keys once, nearly all of them in the first half.
    assert.equal(Math.round((1 - run(cold).figures.hits!) * 20_000), 1000)
    assert.ok(run({ ...cold, warmup: 0.5 }).figures.hits! > 0.999)
  })

  it('targets tell of their load in the words of ORCA', () => {
    const { heard } = run({ reports: 'rif', arrivals: { load: 0.5 } })
    const told = heard.flatMap(([, outcome]) =>
      outcome.kind === 'answered' && outcome.loadReport !== undefined ? [outcome.loadReport] : [],
    )
    assert.equal(told.length, 20_000)
    const pattern =
      /^TEXT cpu_utilization=(\d\.\d{4}), rps_fractional=(\d+\.\d{3}), named_metrics\.rif=(\d+), named_metrics\.latencyMs=\d+\.\d{3}$/
    const late = told.slice(5000).map((text) => pattern.exec(text) ?? assert.fail(text))
    const mean = (group: number) => late.reduce((sum, match) => sum + Number(match[group]), 0) / late.length
    // A target with 2 servers at half its load finishes 100 a second.
    assert.ok(Math.abs(mean(1) - 0.5) < 0.03, `utilisation ${mean(1)}`)
    assert.ok(Math.abs(mean(2) - 100) < 6, `rate ${mean(2)}`)
  })
})
