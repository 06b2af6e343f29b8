import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Balancer, PolicyContext } from '../../plugins/upstreams/contract.ts'
import type { Registry } from '../../plugins/upstreams/registry.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { buildGateway } from '../support/gateway.ts'
import { testRequest, testTargets } from '../support/test-targets.ts'

// Those that the gateway has when all its plugins are loaded: a new one is held to the contract by being there.
const app = await buildGateway({ upstreams: {}, routes: [] })
const registered = (app.upstreams as Registry).balancers
await app.close()

for (const [name, create] of registered) {
  balancerContract(name, (context) => create(context, {} as never))
}

/** The example of the README and the docs. */
function fewestInflight({ random }: PolicyContext): Balancer {
  return {
    pick(candidates) {
      const fewest = Math.min(...candidates.map((target) => target.inflight))
      const tied = candidates.filter((target) => target.inflight === fewest)
      return tied[Math.floor(random() * tied.length)] ?? candidates[0]
    },
  }
}
balancerContract('fewest-inflight', fewestInflight)

it('the gateway registers its balancers as a stranger would', () => {
  assert.deepEqual([...registered.keys()].slice(0, 3), ['round-robin', 'random', 'weighted'])
})

it('a balancer takes no options that it does not know', () => {
  for (const name of ['round-robin', 'random', 'weighted']) {
    const context = { now: () => 0, random: () => 0 }
    assert.throws(
      () => registered.get(name)?.(context, { weight: 1 } as never),
      /takes no options, but "weight" is set/,
    )
  }
})

it('fewest-inflight picks one of those with the fewest', () => {
  const targets = testTargets(3)
  targets[0].inflight = 2
  const balancer = fewestInflight({ now: () => 0, random: () => 0.99 })
  assert.equal(balancer.pick(targets, testRequest()), targets[2])
})
