/**
 * The shape of Prequal's published result (Wydrowski et al., NSDI 2024, section 5): where others' work takes from some
 * machines what a load beyond the fair share would need, it has a lower tail and fewer late answers than weighted round
 * robin, whether the weights are configured or follow from the utilisation that targets report.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Figures } from '../../simulate/figures.ts'
import type { PolicyChoice } from '../../simulate/fleet.ts'
import { definedBalancers } from '../../simulate/policies.ts'
import { simulate } from '../../simulate/run.ts'
import { loadScenario } from '../../simulate/scenarios.ts'

const balancers = await definedBalancers()
const fleet = await loadScenario('antagonists')
const ran = new Map<string, Figures>()

function run(choice: PolicyChoice): Figures {
  const key = JSON.stringify(choice)
  const figures = ran.get(key) ?? simulate(fleet, choice, balancers, { seed: 2, requests: 80_000 })
  ran.set(key, figures)
  return figures
}

/** Errors of independent requests vary by their square root; these come in clusters, and get ten times that. */
function assertFewerErrors(a: Figures, b: Figures): void {
  const count = (figures: Figures) => figures.errorShare * figures.requests
  const margin = 10 * Math.sqrt(count(a) + count(b))
  assert.ok(count(a) < count(b) - margin, `${count(a)} errors, not far below ${count(b)}`)
}

describe('machines with antagonists', () => {
  for (const prequal of ['prequal', { policy: 'prequal', probe: { path: '/load' } }] as const) {
    const name = typeof prequal === 'string' ? 'prequal' : 'prequal with probes'
    for (const rival of ['smooth-weighted', 'orca-weighted']) {
      it(`${name} has a lower tail and fewer errors than ${rival}`, () => {
        assertFewerErrors(run(prequal), run(rival))
        assert.ok(run(prequal).p99 < run(rival).p99)
        assert.ok(run(prequal).mean < run(rival).mean)
      })
    }
  }

  it('round robin leaves many requests at machines that cannot carry them', () => {
    assert.ok(run('round-robin').errorShare > 0.05)
    assert.equal(run('round-robin').latencies.at(-1)! > fleet.deadlineMs! - 1e-6, true)
  })
})
