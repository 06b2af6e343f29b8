/** A target that fails at once is always idle. It must not draw the traffic under any balancer. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BalancerFactory, Lease, Outcome } from '../../plugins/upstreams/contract.ts'
import { seededDice } from '../support/dice.ts'
import { leased, request } from '../upstreams/support.ts'
import { watch } from './support.ts'

/** The balancer of the README, as naive as it stands there. */
const fewestInflight: BalancerFactory<never> = ({ random }) => ({
  pick(candidates) {
    const fewest = Math.min(...candidates.map((target) => target.inflight))
    const tied = candidates.filter((target) => target.inflight === fewest)
    return tied[Math.floor(random() * tied.length)] ?? candidates[0]
  },
})

interface Load {
  readonly doubt: boolean
  /** Fraction of its requests that target 0 fails at once. */
  readonly failing: number
  /** Requests per second. */
  readonly rate: number
  readonly seconds?: number
  /** Between the failures there is a success: no run of them. */
  readonly regular?: boolean
}

/** The part of the traffic that target 0 of four gets. The others take 10 ms, as it does where it does not fail. */
function partOfFailing({ doubt, failing, rate, seconds = 60, regular = false }: Load): number {
  const off = { enforce: false }
  const options = { doubt, consecutive: off, failurePercentage: off, successRate: off, latency: off }
  const random = seededDice(21)
  const { registry, users, clock, pass } = watch(options, { tiers: [0, 0, 0, 0], random })
  registry.defineBalancer('fewest-inflight', fewestInflight)
  registry.balance('users', 'fewest-inflight', {})
  const underWay: { readonly lease: Lease; readonly end: number }[] = []
  const settle = (lease: Lease, outcome: Outcome): void => {
    lease.settle(outcome)
    lease.release()
  }
  let mine = 0
  const requests = rate * seconds
  for (let i = 0; i < requests; i++) {
    pass(-Math.log(1 - random()) * (1000 / rate))
    while (underWay[0] !== undefined && underWay[0].end <= clock.now()) {
      settle((underWay.shift() as (typeof underWay)[0]).lease, {
        kind: 'answered',
        status: 200,
        latencyMs: 10,
      })
    }
    const lease = leased(users.lease(request()))
    const bad = lease.target === users.targets[0]
    if (bad) mine++
    const fails = bad && (regular ? mine % 2 === 0 : random() < failing)
    if (fails) settle(lease, { kind: 'answered', status: 500, latencyMs: 0.1 })
    else underWay.push({ lease, end: clock.now() + 10 })
  }
  return mine / requests
}

const FAIR = 1 / 4
describe('a target that fails at once, under a balancer that looks for idle ones', () => {
  for (const rate of [200, 1000]) {
    it(`half of the time, ${rate} requests/s: gets no more than its share`, () => {
      const part = partOfFailing({ doubt: true, failing: 0.5, rate })
      assert.ok(part < FAIR, `${part} of the traffic`)
      assert.ok(part > 0.01, 'it is asked now and then whether it is well again')
      const regular = partOfFailing({ doubt: true, failing: 0.5, rate, regular: true })
      assert.ok(regular < FAIR, `${regular} of the traffic where no two failures come in a row`)
    })

    it(`always, ${rate} requests/s: gets next to nothing`, () => {
      const part = partOfFailing({ doubt: true, failing: 1, rate })
      assert.ok(part < 0.06 && part > 0, `${part} of the traffic`)
    })
  }

  it('always, at 4 requests/s: little', () => {
    const part = partOfFailing({ doubt: true, failing: 1, rate: 4, seconds: 3000 })
    assert.ok(part < FAIR / 2, `${part} of the traffic`)
  })

  it('draws the traffic without the doubt: what the above would look like if it did nothing', () => {
    assert.ok(partOfFailing({ doubt: false, failing: 1, rate: 1000 }) > 1.5 * FAIR)
    assert.ok(partOfFailing({ doubt: false, failing: 0.5, rate: 1000 }) > 1.1 * FAIR)
  })

  it('never: gets its fair share', () => {
    const part = partOfFailing({ doubt: true, failing: 0, rate: 1000 })
    assert.ok(Math.abs(part - FAIR) < 0.02, `${part} of the traffic`)
  })
})
