import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everyPolicy, lineUp } from '../../simulate/line-up.ts'
import { definedBalancers, labelOf, problemOf, readPolicy } from '../../simulate/policies.ts'
import { simulate } from '../../simulate/run.ts'
import { loadScenario, scenarioNames } from '../../simulate/scenarios.ts'
import { buildGateway } from '../support/gateway.ts'

const balancers = await definedBalancers()

describe('the policies', () => {
  it('are all that a gateway has, and no list of our own', async () => {
    const app = await buildGateway({ upstreams: {}, routes: [] })
    assert.deepEqual([...balancers.keys()], [...app.upstreams.balancers.keys()])
    await app.close()
    assert.ok(balancers.has('round-robin'))
  })

  it('are each in the line-up of the page, but for those that need an option', () => {
    const labels = new Set(everyPolicy(balancers).map(labelOf))
    for (const name of balancers.keys()) {
      assert.ok(labels.has(name) || problemOf(name, balancers) !== undefined, `${name} is left out`)
    }
  })

  it('each serve every scenario', async () => {
    for (const scenario of scenarioNames()) {
      const fleet = await loadScenario(scenario)
      const targets = fleet.targets.map((group) => ({ ...group, count: Math.min(group.count, 10) }))
      const few = { ...fleet, targets, gateways: 2 }
      for (const choice of lineUp(few, balancers)) {
        const figures = simulate(few, choice, balancers, { seed: 1, requests: 1000 })
        assert.ok(figures.mean > 0, `${labelOf(choice)} in ${scenario}`)
      }
    }
  })

  it('are written with their options on the command line', () => {
    assert.equal(readPolicy('p2c'), 'p2c')
    assert.deepEqual(readPolicy('p2c:load=ewma:decay=5s'), { policy: 'p2c', load: 'ewma', decay: '5s' })
    assert.deepEqual(readPolicy('least-requests:choices=3:fullScan=false'), {
      policy: 'least-requests',
      choices: 3,
      fullScan: false,
    })
    assert.deepEqual(readPolicy('prequal:probe={"path":"/load"}'), {
      policy: 'prequal',
      probe: { path: '/load' },
    })
    for (const written of ['maglev:bounded.eps=1:bounded.floor=1', 'maglev bounded.eps=1 bounded.floor=1'])
      assert.deepEqual(readPolicy(written), { policy: 'maglev', bounded: { eps: 1, floor: 1 } })
    assert.deepEqual(readPolicy('ring-hash:on=[{"header":"x: y"},"identity"]:points=9'), {
      policy: 'ring-hash',
      on: [{ header: 'x: y' }, 'identity'],
      points: 9,
    })
    assert.deepEqual(readPolicy('prequal:probe.path=/load'), { policy: 'prequal', probe: { path: '/load' } })
    assert.throws(() => readPolicy('p2c:ewma'), /write options as p2c:name=value, or p2c:name\.inner=value/)
    assert.throws(() => readPolicy('maglev:bounded=false:bounded.eps=1'), /"bounded" is said twice/)
    assert.throws(() => readPolicy('p2c:load=ewma:load=inflight'), /"load" is said twice/)
  })

  it('are typed as the tables call them', async () => {
    for (const scenario of scenarioNames()) {
      for (const choice of lineUp(await loadScenario(scenario), balancers)) {
        // What is left out of labels is no matter for them.
        if (labelOf(choice) === 'prequal probe') continue
        assert.deepEqual(readPolicy(labelOf(choice)), choice)
      }
    }
  })

  it('are called by their options in tables', () => {
    assert.equal(labelOf('p2c'), 'p2c')
    assert.equal(labelOf({ policy: 'p2c', load: 'ewma' }), 'p2c load=ewma')
    assert.equal(labelOf({ policy: 'maglev', bounded: { eps: 1 } }), 'maglev bounded.eps=1')
    assert.equal(labelOf({ policy: 'prequal', probe: { path: '/load' } }), 'prequal probe')
    assert.equal(labelOf({ policy: 'maglev', bounded: false }), 'maglev bounded=false')
  })

  it('are refused where there is no such balancer, or it refuses its options', () => {
    assert.match(
      problemOf('p3c', balancers) ?? '',
      /no balancer is named "p3c"; there are round-robin, random/,
    )
    assert.match(problemOf({ policy: 'random', weight: 1 }, balancers) ?? '', /^random weight=1: .*weight/)
    assert.equal(problemOf('random', balancers), undefined)
  })
})
